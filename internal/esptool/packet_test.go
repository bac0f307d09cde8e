package esptool

import (
	"errors"
	"testing"
)

func TestParseReply(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		result      int
		malformed   bool
		code        byte
	}{
		{name: "status only", frame: "010a0400831df00000000000"},
		{name: "left-overs are no error", frame: "010204005a01000000053766"},
		{name: "refused", frame: "010304005a01000001073766", code: 0x07},
		{name: "refused without the result asked for", frame: "011304005a01000001053766", result: 32, code: 0x05},
		{name: "ok without the result asked for", frame: "011304005a01000000003766", result: 32, malformed: true},
		{name: "result of another length", frame: "011306005a010000abcd00000000", result: 32, malformed: true},
		{name: "stub's two status bytes", frame: "010a0200831df0000000", malformed: true},
		{name: "length field too small", frame: "010a0300831df00000000000", malformed: true},
		{name: "a byte lost", frame: "010a0400831df000000000", malformed: true},
		{name: "a request", frame: "000a04000000000000100040", malformed: true},
		{name: "header cut short", frame: "010a0400831df0", malformed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseReply(unhex(t, c.frame))
			if err == nil {
				_, err = r.split(c.result)
			}
			var refused *ROMError
			if errors.Is(err, errMalformed) != c.malformed {
				t.Errorf("error = %v, malformed %v", err, c.malformed)
			}
			if errors.As(err, &refused) != (c.code != 0) || refused != nil && refused.Code != c.code {
				t.Errorf("error = %v, want code %#02x", err, c.code)
			}
		})
	}
}

func TestROMErrorNamesTheCause(t *testing.T) {
	e := &ROMError{Op: byte(opFlashData), Code: 0x08}
	if got, want := e.Error(), "chip refused FLASH_DATA: error 0x08, flash does not read back as written"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

// FuzzReply parses arbitrary frames: no panic, and what is accepted has the shape
// asked for.
func FuzzReply(f *testing.F) {
	for _, x := range transcript(f) {
		f.Add(unhex(f, x.Replies[0]), 0)
		f.Add(unhex(f, x.Replies[0]), 32)
	}
	f.Fuzz(func(t *testing.T, frame []byte, n int) {
		if n < 0 || n > 64 {
			return
		}
		r, err := parseReply(frame)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("parseReply = %v", err)
			}
			return
		}
		result, err := r.split(n)
		var refused *ROMError
		switch {
		case err == nil && len(result) != n:
			t.Fatalf("result of %d bytes, want %d", len(result), n)
		case err != nil && !errors.Is(err, errMalformed) && !errors.As(err, &refused):
			t.Fatalf("split = %v", err)
		}
	})
}
