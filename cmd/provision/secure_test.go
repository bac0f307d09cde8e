package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/internal/secureboot"
)

// The vectors lie with the packages that do the work; here they go through flags
// and files. They come from espsecure 4.8.1 (see "origin" in each).
const (
	bootVectors  = "../../internal/secureboot/testdata/espsecure.json"
	cryptVectors = "../../internal/flashcrypt/testdata/espsecure.json"
)

// vectors reads one list of a vector file. An empty list fails.
func vectors[T any](t *testing.T, path, list string) []T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	var out []T
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file[list], &out); err != nil || len(out) == 0 {
		t.Fatalf("%s: %s has no vectors: %v", path, list, err)
	}
	return out
}

// hexBytes is a string of hex digits in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// folder gives commands files by name.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) write(name string, data []byte) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

func (f folder) read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// secure runs provision secure and expects an exit code.
func (f folder) secure(want int, args ...string) {
	f.t.Helper()
	var told strings.Builder
	if got := run(f.t.Context(), append([]string{"secure"}, args...), strings.NewReader(""), io.Discard, &told); got != want {
		f.t.Fatalf("secure %s: exit %d, want %d: %s", args[0], got, want, told.String())
	}
}

func TestDigestBootloaderAsEspsecure(t *testing.T) {
	type vector struct {
		Key    hexBytes `json:"key"`
		IV     hexBytes `json:"iv"`
		Image  hexBytes `json:"image"`
		Region hexBytes `json:"digest_region_192"`
		Len    int      `json:"output_len"`
		SHA256 hexBytes `json:"output_sha256"`
	}
	for i, v := range vectors[vector](t, bootVectors, "secure_boot_v1_digest") {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			f := folder{t, t.TempDir()}
			f.secure(0, "digest-bootloader", "--keyfile", f.write("key", v.Key), "--iv", f.write("iv", v.IV),
				"--output", f.path("out"), f.write("image", v.Image))
			out := f.read("out")
			if !bytes.HasPrefix(out, v.Region) {
				t.Fatalf("begins %x, want %x", out[:len(v.Region)], v.Region)
			}
			// espsecure cuts what is left of an appended SHA-256 behind the last
			// whole piece; we keep it.
			cut := v.Len < secureboot.SectorLen+len(v.Image)
			if !cut && len(out) != v.Len || cut && !bytes.HasPrefix(out[secureboot.SectorLen:], v.Image) {
				t.Errorf("%d bytes, want %d", len(out), v.Len)
			}
			if sum := sha256.Sum256(out[:v.Len]); !bytes.Equal(sum[:], v.SHA256) {
				t.Errorf("SHA-256 %x, want %x", sum, v.SHA256)
			}
		})
	}
}

func TestEncryptAsEspsecure(t *testing.T) {
	type vector struct {
		Key        hexBytes `json:"key"`
		Address    int      `json:"address"`
		Conf       int      `json:"flash_crypt_conf"`
		Plaintext  hexBytes `json:"plaintext"`
		Ciphertext hexBytes `json:"ciphertext"`
	}
	for i, v := range vectors[vector](t, cryptVectors, "flash_encryption") {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			f := folder{t, t.TempDir()}
			flags := []string{
				"--keyfile", f.write("key", v.Key), "--address", fmt.Sprintf("%#x", v.Address), "--flash-crypt-conf", fmt.Sprintf("%#x", v.Conf),
			}
			f.secure(0, append([]string{"encrypt", "--output", f.path("cipher"), f.write("plain", v.Plaintext)}, flags...)...)
			whole := len(v.Plaintext) / 16 * 16 // espsecure fills a last piece up with random bytes
			if got := f.read("cipher"); len(got) != len(v.Ciphertext) || !bytes.Equal(got[:whole], v.Ciphertext[:whole]) {
				t.Errorf("encrypted: %x, want %x", got, v.Ciphertext)
			}
			f.secure(0, append([]string{"decrypt", "--output", f.path("again"), f.write("theirs", v.Ciphertext)}, flags...)...)
			if got := f.read("again"); !bytes.HasPrefix(got, v.Plaintext) {
				t.Errorf("decrypted: %x, want %x", got, v.Plaintext)
			}
		})
	}
}

// TestSignaturesAsEspsecure: theirs verify here, ours with the public key that
// theirs verify with. Signatures have random parts and cannot be compared.
func TestSignaturesAsEspsecure(t *testing.T) {
	type vector struct {
		Private string   `json:"private_key_pem"`
		Public  hexBytes `json:"public_key_raw_64"` // V1 only
		Image   hexBytes `json:"image"`
		Signed  hexBytes `json:"signed"`
	}
	for version, list := range map[string]string{"1": "secure_boot_v1_signature", "2": "secure_boot_v2_rsa"} {
		for i, v := range vectors[vector](t, bootVectors, list) {
			t.Run(fmt.Sprintf("V%s/%d", version, i), func(t *testing.T) {
				f := folder{t, t.TempDir()}
				key, signed := f.write("key.pem", []byte(v.Private)), f.write("signed", v.Signed)
				f.secure(0, "extract-public-key", "--keyfile", key, f.path("public.pem"))
				f.secure(0, "verify-signature", "--version", version, "--keyfile", f.path("public.pem"), signed)
				f.secure(0, "sign-data", "--any", "--version", version, "--keyfile", key, "--output", f.path("ours"), f.write("image", v.Image))
				f.secure(0, "verify-signature", "--version", version, "--keyfile", f.path("public.pem"), f.path("ours"))
				if ours := f.read("ours"); len(ours) != len(v.Signed) {
					t.Errorf("signed file has %d bytes, espsecure's %d", len(ours), len(v.Signed))
				}
				v.Signed[40] ^= 1
				f.secure(1, "verify-signature", "--version", version, "--keyfile", f.path("public.pem"), f.write("changed", v.Signed))
				if version == "1" {
					pub, err := secureboot.ParsePublicKeyV1(f.read("public.pem"))
					if err != nil || !bytes.Equal(pub[:], v.Public) {
						t.Errorf("public key %x, %v; want %x", pub, err, v.Public)
					}
				}
			})
		}
	}
}
