package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Tests against programs and chips from elsewhere. Each is opt-in and says so when
// it skips.
const (
	envEsptool  = "PROVISION_TEST_ESPTOOL"  // command line of Espressif's esptool 4.x
	envEspefuse = "PROVISION_TEST_ESPEFUSE" // command line of its espefuse
	envROM      = "PROVISION_TEST_ROM"      // port of a blank chip in download mode that MAY BE BURNT
)

// peer returns the words of a command line from the environment, or skips.
func peer(t *testing.T, env, what string) []string {
	t.Helper()
	words := strings.Fields(os.Getenv(env))
	if len(words) == 0 {
		t.Skipf("%s is not set: it is %s", env, what)
	}
	return words
}

// provisionIn runs the program with dir as its working folder.
func provisionIn(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(dir)
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// serveSim offers a new virtual chip on a TCP port until the test ends, and
// returns its address.
func serveSim(t *testing.T, dir string) (address string, stop func()) {
	t.Helper()
	if code, _, errs := provisionIn(t, dir, "sim", "create", "peer"); code != 0 {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx, []string{"sim", "serve", "peer", "--json"}, strings.NewReader(""), w, os.Stderr)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	var serving struct{ Address string }
	if err := json.NewDecoder(r).Decode(&serving); err != nil {
		t.Fatal(err)
	}
	return serving.Address, stop
}

// TestEsptoolIsContent lets Espressif's tools work on the virtual chip: identify
// it, write and verify real firmware without a stub, read its fuses, burn a key.
func TestEsptoolIsContent(t *testing.T) {
	esptool := peer(t, envEsptool, "the command line of esptool 4.x")
	firmware := absolute(filepath.Join("testdata", "hello-esp32"))
	dir := t.TempDir()
	address, stop := serveSim(t, dir)
	tool := func(words []string, args ...string) string {
		all := append(words[1:len(words):len(words)], "--chip", "esp32", "--port", "socket://"+address, "--before", "no_reset")
		out, err := exec.Command(words[0], append(all, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v %v: %v\n%s", words, args, err, out)
		}
		return string(out)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"chip_id"}, "revision v3.0"},
		{[]string{"flash_id"}, "Detected flash size: 4MB"},
		{[]string{"write_flash", "0x1000", filepath.Join(firmware, "bootloader.bin"), "0x8000", filepath.Join(firmware, "partition-table.bin"),
			"0x10000", filepath.Join(firmware, "hello_world.bin")}, "Hash of data verified"},
		{[]string{"read_flash", "0x8000", "0xc00", filepath.Join(dir, "table.bin")}, "Read 3072 bytes"},
	} {
		out := tool(esptool, append([]string{"--after", "no_reset", "--no-stub"}, c.args...)...)
		if !strings.Contains(out, c.says) {
			t.Errorf("esptool %v does not say %q:\n%s", c.args, c.says, out)
		}
	}
	if espefuse := strings.Fields(os.Getenv(envEspefuse)); len(espefuse) > 0 {
		key := filepath.Join(dir, "key.bin")
		if err := os.WriteFile(key, bytes.Repeat([]byte("0123456789abcdef"), 2), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := tool(espefuse, "summary"); !strings.Contains(out, "CRC 0x") {
			t.Errorf("espefuse summary:\n%s", out)
		}
		if out := tool(espefuse, "--do-not-confirm", "burn_key", "secure_boot_v1", key); !strings.Contains(out, "Successful") {
			t.Errorf("espefuse burn_key:\n%s", out)
		}
	} else {
		t.Logf("espefuse is left out: %s is not set", envEspefuse)
	}
	stop()
	if code, out, errs := provisionIn(t, dir, "sim", "boot", "peer"); code != 0 || !strings.Contains(out, "Hello world!") {
		t.Errorf("sim boot after esptool: exit %d\n%s%s", code, out, errs)
	}
}

// TestRealROM takes a blank chip, real or emulated, from first contact to PASS and
// sees that a second run writes nothing.
func TestRealROM(t *testing.T) {
	port := peer(t, envROM, "the port of a blank ESP32 in download mode that may be burnt")[0]
	firmware := absolute(filepath.Join("testdata", "hello-esp32"))
	dir := t.TempDir()
	for _, args := range [][]string{
		{"secure", "generate-signing-key", "app-key.pem"},
		{"secure", "extract-public-key", "--keyfile", "app-key.pem", "app-public.pem"},
		{"secure", "sign-data", "--keyfile", "app-key.pem", "--output", "hello-signed.bin", filepath.Join(firmware, "hello_world.bin")},
	} {
		if code, _, errs := provisionIn(t, dir, args...); code != 0 {
			t.Fatal(errs)
		}
	}
	profile := `[station]
name = "ROM-TEST"
armed = true
[link]
reset = "none"
[unit]
serial = { pattern = "^ROM-[0-9]+$", source = "argument" }
[images]
bootloader = "` + filepath.ToSlash(filepath.Join(firmware, "bootloader.bin")) + `"
partition_table = "` + filepath.ToSlash(filepath.Join(firmware, "partition-table.bin")) + `"
app = "hello-signed.bin"
[secure_boot]
version = 1
public_key = "app-public.pem"
allow_unverified_app = true
[flash_encryption]
mode = "host"
policy = "release"
`
	if err := os.WriteFile(filepath.Join(dir, "rom.toml"), []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, want := range []string{"PASS", "DONE"} {
		code, out, errs := provisionIn(t, dir, "run", "--station", "rom.toml", "--port", port, "--serial", "ROM-1")
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("exit %d, want %s\n%s%s", code, want, out, errs)
		}
		t.Logf("%s after %v", want, time.Since(began).Round(time.Millisecond))
	}
}
