package station

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	toml "github.com/pelletier/go-toml/v2"
)

// maxProfile bounds the file: a wrong name on the command line may be an image of
// many megabytes.
const maxProfile = 1 << 20

// Load reads and checks the profile at path. A file that cannot be read gives an
// error that is ErrUnreadable and the cause from the system; anything wrong inside
// gives an Invalid with every problem.
func Load(path string) (*Profile, error) {
	data, err := readProfile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return Parse(data, path)
}

func readProfile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxProfile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxProfile {
		return nil, fmt.Errorf("%s is larger than %d KiB: not a station profile", path, maxProfile>>10)
	}
	return data, nil
}

// Parse checks a profile that has been read already. path is where it lies, or
// would lie: names in it are relative to that folder. The error is an Invalid.
func Parse(data []byte, path string) (*Profile, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%w: no folder for %s: %w", ErrUnreadable, path, err)
	}
	found := &findings{file: path}
	doc, err := decode(data, found)
	if err != nil {
		return nil, err
	}
	r := &resolver{findings: found, dir: filepath.Dir(absolute), base: filepath.Base(absolute)}
	profile := r.profile(doc)
	if err := found.err(); err != nil {
		return nil, err
	}
	profile.Path = absolute
	profile.SHA256 = sha256.Sum256(data)
	return profile, nil
}

// decode turns the file into a document. Unknown keys are noted in found and do
// not end the work, so that the values are judged as well; an error is returned
// when there is no document to judge.
func decode(data []byte, found *findings) (*document, error) {
	// Editors on Windows put a byte order mark first; TOML has no place for it.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	keys, err := indexKeys(data)
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		found.addAt(ErrSyntax, syntax.line, "", "not valid TOML: %s", syntax.text)
		return nil, found.err()
	}
	found.keys = keys
	for _, e := range keys.secrets {
		found.addAt(ErrSecret, e.line, e.path, "holds a private key; take it out and treat the key as lost: a profile is not a secret")
	}
	found.checkKeys(known)
	if errors.Is(found.err(), ErrSecret) || errors.Is(found.err(), ErrType) {
		return nil, found.err()
	}
	doc := &document{}
	if err := toml.Unmarshal(data, doc); err != nil {
		found.addDecodeError(err)
		return nil, found.err()
	}
	return doc, nil
}

// addDecodeError notes what only the decoder finds: keys given twice, tables
// opened twice, numbers that no integer holds.
func (f *findings) addDecodeError(err error) {
	line, text := 0, strings.TrimPrefix(err.Error(), "toml: ")
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ = at.Position()
	}
	f.addAt(ErrSyntax, line, "", "not valid TOML: %s", text)
}
