package ota_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/internal/ota"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// espsecure signs files as a build does, with Espressif's own tool.
type espsecure struct {
	t       *testing.T
	command []string
	dir     string
}

// newEspsecure skips where the tool is not at hand.
func newEspsecure(t *testing.T) *espsecure {
	t.Helper()
	const env = "PROVISION_TEST_ESPSECURE"
	command := strings.Fields(os.Getenv(env))
	if len(command) == 0 {
		t.Skipf("%s is not set: it is the command line of Espressif's espsecure 4.x", env)
	}
	return &espsecure{t: t, command: command, dir: t.TempDir()}
}

func (e *espsecure) file(name string, data []byte) (path string) {
	e.t.Helper()
	path = filepath.Join(e.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

func (e *espsecure) key(name string, key *secureboot.SigningKey) (path string) {
	e.t.Helper()
	text, err := key.MarshalPEM()
	if err != nil {
		e.t.Fatal(err)
	}
	return e.file(name, text)
}

func (e *espsecure) run(args ...string) {
	e.t.Helper()
	args = slices.Concat(e.command[1:], args)
	if out, err := exec.Command(e.command[0], args...).CombinedOutput(); err != nil {
		e.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// sign is data signed with sign_data, by those keys.
func (e *espsecure) sign(version string, data []byte, keys ...string) []byte {
	e.t.Helper()
	in, out := e.file("in.bin", data), filepath.Join(e.dir, "out.bin")
	e.run(slices.Concat([]string{"sign_data", "--version", version, "--keyfile"}, keys, []string{"--output", out, in})...)
	return readFile(e.t, out)
}

// TestFilesOfEspsecure judges what Espressif's tool signed, on the real build and on
// demo firmware, and lets the virtual unit have its say; and the tool verifies what
// we sign.
func TestFilesOfEspsecure(t *testing.T) {
	e, w := newEspsecure(t), newWorkshop(t)
	v1, v1Other, v2, v2Other := e.key("1.pem", w.key), e.key("1b.pem", w.other), e.key("2.pem", w.rsa[0]), e.key("2b.pem", w.rsa[1])
	ecdsa := filepath.Join(e.dir, "ec.pem")
	e.run("generate_signing_key", "--version", "2", "--scheme", "ecdsa256", ecdsa)
	for _, v := range []struct {
		name   string
		file   []byte
		v1, v2 ota.Code // on units of that scheme, first reason
	}{
		{"V1, not padded", e.sign("1", w.hello, v1), "", ota.WrongVersion},
		{"V1, padded", e.sign("1", w.padded, v1), "", ota.WrongVersion},
		{"V1, by another key", e.sign("1", w.hello, v1Other), ota.OtherKey, ota.WrongVersion},
		{"V1, a bootloader", e.sign("1", w.boot, v1), ota.BootloaderImage, ota.WrongVersion},
		{"V1, a partition table", e.sign("1", w.table, v1), ota.PartitionTable, ota.PartitionTable},
		{"V1, something behind the image", e.sign("1", join(w.hello, make([]byte, 100)), v1), ota.MovedSignature, ota.NotSigned},
		{"V2, not padded", e.sign("2", w.hello, v2), ota.WrongVersion, ""},
		{"V2, padded", e.sign("2", padV2(t, w), v2), ota.WrongVersion, ""},
		{"V2, by another key", e.sign("2", w.hello, v2Other), ota.WrongVersion, ota.OtherKey},
		{"V2, two keys", e.sign("2", w.hello, v2, v2Other), ota.WrongVersion, ""},
		{"V2, two keys, the right one second", e.sign("2", w.hello, v2Other, v2), ota.WrongVersion, ota.OtherKey},
		{"V2, ECDSA", e.sign("2", padV2(t, w), ecdsa), ota.WrongVersion, ota.WrongVersion},
		{"V1, then V2", e.sign("2", e.sign("1", w.padded, v1), v2), "", ""},
		{"V2, then V1", e.sign("1", e.sign("2", padV2(t, w), v2), v1), ota.WrongVersion, ""},
	} {
		for _, k := range kinds {
			if k.scheme == 0 {
				continue
			}
			u := w.newUnit(t, k, setup{})
			report := ota.Check(v.file, u.facts)
			did := u.chip.OTA(v.file, simulator.OTABuild{})
			if report.Verdict != verdicts[did.Outcome] {
				t.Errorf("%s, %s: said %s, the unit: %v", v.name, k.name, report.Verdict, did)
			}
			checkReasons(t, report, [3]ota.Code{1: v.v1, 2: v.v2}[k.scheme], nil)
		}
	}
	e.run("verify_signature", "--version", "1", "--keyfile", v1, e.file("ours1.bin", helloSigned(t, w)))
	e.run("verify_signature", "--version", "2", "--keyfile", v2, e.file("ours2.bin", helloSignedV2(t, w)))
}
