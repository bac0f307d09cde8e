package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// keyText is key material that no output may hold in any form.
const keyText = "K3y-0f-th3-un1t-n3v3r-t0-b3-t01d"

func sample() Secret { return NewSecret([]byte(keyText)) }

// leaks reports in which form out holds the key, "" if in none.
func leaks(out string) string {
	forms := map[string]string{
		"text":       keyText[:8],
		"hex":        hex.EncodeToString([]byte(keyText[:8])),
		"upper hex":  strings.ToUpper(hex.EncodeToString([]byte(keyText[:8]))),
		"decimal":    strings.Trim(fmt.Sprint([]byte(keyText[:4])), "[]"),
		"Go syntax":  strings.Trim(fmt.Sprintf("%#v", []byte(keyText[:4])), "[]byte{}"),
		"spaced hex": fmt.Sprintf("% x", keyText[:4]),
		"base64":     base64.StdEncoding.EncodeToString([]byte(keyText[:9])),
	}
	for name, form := range forms {
		if strings.Contains(out, form) {
			return name
		}
	}
	return ""
}

func TestLeaksFindsEveryForm(t *testing.T) {
	for _, format := range []string{"%s", "%x", "%X", "%v", "%#v", "% x", "%q"} {
		if leaks(fmt.Sprintf(format, []byte(keyText))) == "" {
			t.Errorf("the key printed with %s goes unnoticed", format)
		}
	}
	plain, err := json.Marshal([]byte(keyText))
	if err != nil || leaks(string(plain)) == "" {
		t.Errorf("the key in JSON goes unnoticed (%v)", err)
	}
}

// holder has a Secret where fmt does not ask for methods.
type holder struct {
	Open   Secret
	hidden Secret
	ptr    *Secret
	list   []Secret
	named  map[string]Secret
	any    any
}

func newHolder() holder {
	s := sample()
	return holder{s, s, &s, []Secret{s}, map[string]Secret{"k": s}, s}
}

func TestSecretNeverPrints(t *testing.T) {
	s, h := sample(), newHolder()
	unit := UnitKeys{UnitID: 7, MAC: "24:0a:c4:00:00:01", Keys: []Named{{FlashEncryption, s}}}
	var outputs []string
	for _, verb := range "vsdxXqtbcoUeEfFgGpTOz" {
		for _, flags := range []string{"", "+", "#", " ", "-20.3", "020"} {
			for _, v := range []any{s, &s, h, &h, unit, &unit, []any{s}, h.hidden} {
				outputs = append(outputs, fmt.Sprintf("%"+flags+string(verb), v))
			}
		}
	}
	outputs = append(outputs, s.String(), s.GoString(), fmt.Sprint(s), fmt.Sprintln(h, unit), fmt.Errorf("burn %v: %w", s, os.ErrClosed).Error())
	for _, out := range outputs {
		if form := leaks(out); form != "" {
			t.Fatalf("the key shows as %s in %q", form, out)
		}
	}
	if got := fmt.Sprintf("%x", s); got != redacted {
		t.Errorf("%%x prints %q, want %q", got, redacted)
	}
}

func TestSecretNeverEncodes(t *testing.T) {
	s, h := sample(), newHolder()
	var out bytes.Buffer
	for _, v := range []any{s, &s, h, map[string]any{"k": s}, []Secret{s}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	raw, err := xml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("key", "secret", s, "pointer", &s, "holder", h, slog.Group("g", "s", s))
	}
	log.New(&out, "", 0).Print(s, h, &h)
	if form := leaks(out.String()); form != "" {
		t.Errorf("the key shows as %s in %s", form, out.String())
	}
	if n := strings.Count(out.String(), redacted); n < 10 {
		t.Errorf("only %d times %s in %s", n, redacted, out.String())
	}
}

// TestSecretInPanic dies on purpose in a child and reads its last words.
func TestSecretInPanic(t *testing.T) {
	switch os.Getenv("KEYS_TEST_PANIC") {
	case "value":
		panic(sample())
	case "holder":
		panic(newHolder())
	case "error":
		panic(fmt.Errorf("key %v %+v", sample(), newHolder()))
	}
	for _, how := range []string{"value", "holder", "error"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecretInPanic$")
		cmd.Env = append(os.Environ(), "KEYS_TEST_PANIC="+how, "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(string(out), "panic: ") {
			t.Fatalf("%s: the child did not panic: %v", how, err)
		}
		if form := leaks(string(out)); form != "" {
			t.Errorf("%s: the key shows as %s in %s", how, form, out)
		}
	}
}

func TestWipe(t *testing.T) {
	b := []byte(keyText)
	s := NewSecret(b)
	other := s
	if !s.Equal(sample()) || s.Len() != len(keyText) {
		t.Fatal("a secret is not what was put in")
	}
	s.Wipe()
	s.Wipe()
	if !bytes.Equal(b, make([]byte, len(keyText))) {
		t.Error("the bytes are still in memory")
	}
	if other.Reveal() != nil || other.Len() != 0 {
		t.Error("a copy still reveals bytes: a wiped key must not pass for a key of zeros")
	}
	var zero Secret
	zero.Wipe()
	if zero.Reveal() != nil {
		t.Error("the zero Secret reveals something")
	}
}
