package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func newStation(t testing.TB) (Identity, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "station-identity.txt")
	id, err := CreateIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	return id, path
}

func TestIdentityFile(t *testing.T) {
	id, path := newStation(t)
	loaded, err := LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Recipient().String() != id.Recipient().String() {
		t.Error("the identity loaded is not the one created")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the identity lie %v (%v)", entries, err)
	}
}

func TestCreateIdentityNeverOverwrites(t *testing.T) {
	_, path := newStation(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateIdentity(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error = %v, want fs.ErrExist", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the identity was changed (%v)", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("a temporary file stays behind: %v (%v)", entries, err)
	}
}

// TestCreateIdentityWithoutLinks: a memory stick with FAT knows no links.
func TestCreateIdentityWithoutLinks(t *testing.T) {
	osLink = func(string, string) error { return &os.LinkError{Op: "link", Err: syscall.EPERM} }
	t.Cleanup(func() { osLink = os.Link })
	id, path := newStation(t)
	if again, err := LoadIdentity(path); err != nil || again.String() != id.String() {
		t.Errorf("kept is %v (%v), want %v", again, err, id)
	}
	TestCreateIdentityNeverOverwrites(t)
}

func TestLoadIdentityRefuses(t *testing.T) {
	id, path := newStation(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := secretLine(string(text))
	tests := []struct {
		name, text string
		mode       os.FileMode
		want       error
	}{
		{"group may read", string(text), 0o640, ErrExposed},
		{"all may read", string(text), 0o604, ErrExposed},
		{"group may write", string(text), 0o620, ErrExposed},
		{"empty", "", 0o600, ErrBadIdentity},
		{"comments alone", "# nothing\n", 0o600, ErrBadIdentity},
		{"public key", id.Recipient().String(), 0o600, ErrBadIdentity},
		{"cut short", secret[:len(secret)-3], 0o600, ErrBadIdentity},
		{"one digit wrong", secret[:30] + "B" + secret[31:], 0o600, ErrBadIdentity},
		{"two keys", secret + "\n" + secret, 0o600, ErrBadIdentity},
		{"too long", string(text) + strings.Repeat("#\n", identityLimit), 0o600, ErrBadIdentity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.want == ErrExposed && runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			path := filepath.Join(t.TempDir(), "identity")
			if err := os.WriteFile(path, []byte(test.text), test.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil { // past the umask
				t.Fatal(err)
			}
			_, err := LoadIdentity(path)
			if !errors.Is(err, test.want) {
				t.Fatalf("error = %v, want %v", err, test.want)
			}
			if strings.Contains(err.Error(), secret[20:28]) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	if _, err := LoadIdentity(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
	if _, err := LoadIdentity(t.TempDir()); err == nil {
		t.Error("a folder is loaded")
	}
}

// secretLine returns the line of an identity file that holds the secret key.
func secretLine(text string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "AGE-SECRET-KEY-1") {
			return strings.TrimSpace(line)
		}
	}
	panic("no secret key in the file")
}

func TestIdentityNeverPrints(t *testing.T) {
	id, path := newStation(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := secretLine(string(text))
	raw, err := json.Marshal(map[string]any{"id": id, "in": struct{ ID Identity }{id}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(raw)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb+verb+verb, id, &id, struct{ id Identity }{id})
	}
	if strings.Contains(out, "SECRET") || strings.Contains(out, secret[20:40]) {
		t.Errorf("the secret key shows in %s", out)
	}
	if !strings.Contains(out, id.Recipient().String()) {
		t.Errorf("the public key does not show in %s", out)
	}
}

func TestParseRecipients(t *testing.T) {
	a, path := newStation(t)
	b, _ := newStation(t)
	got, err := ParseRecipients([]string{a.Recipient().String(), b.Recipient().String()})
	if err != nil || len(got) != 2 || got[1].String() != b.Recipient().String() {
		t.Fatalf("ParseRecipients = %v, %v", got, err)
	}
	if got, err := ParseRecipients(nil); err != nil || len(got) != 0 {
		t.Errorf("no recipients: %v, %v", got, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := secretLine(string(text))
	for _, bad := range []string{"", "age1", "age1xyz", "me@example.org", secret, strings.ToLower(secret), "age1pq1xyz", "ssh-ed25519 AAAA"} {
		got, err := ParseRecipients([]string{a.Recipient().String(), bad})
		if !errors.Is(err, ErrBadRecipient) || got != nil {
			t.Errorf("%.12q: %v, %v; want ErrBadRecipient", bad, got, err)
			continue
		}
		if !strings.Contains(err.Error(), "recipient 2") {
			t.Errorf("the error does not say which recipient: %v", err)
		}
		if strings.Contains(strings.ToUpper(err.Error()), secret[20:28]) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	if _, err := ParseRecipients([]string{a.Recipient().String(), a.Recipient().String()}); !errors.Is(err, ErrBadRecipient) {
		t.Errorf("the same twice: %v, want ErrBadRecipient", err)
	}
}
