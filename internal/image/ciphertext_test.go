package image

import (
	"bytes"
	"crypto/aes"
	"math/rand/v2"
	"testing"
)

// likeFlashEncryption enciphers data with a key for each 32-byte unit. Not the
// real tweak, but noise of the same shape: equal halves stay equal.
func likeFlashEncryption(t testing.TB, data []byte) []byte {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	out := bytes.Clone(data)
	for i := 0; i+32 <= len(out); i += 32 {
		var key [32]byte
		random.Read(key[:])
		unit, err := aes.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		unit.Decrypt(out[i:], out[i:])
		unit.Decrypt(out[i+16:], out[i+16:])
	}
	return out
}

func TestLooksEncrypted(t *testing.T) {
	app, boot, table := readFile(t, "hello_world.bin"), readFile(t, "bootloader.bin"), readFile(t, "partition-table.bin")
	noMagic, badSum, otherChip := bytes.Clone(app), bytes.Clone(app), bytes.Clone(app)
	noMagic[0], badSum[100], otherChip[12] = 0x00, badSum[100]^1, 9
	cipher := likeFlashEncryption(t, app)
	lucky := bytes.Clone(cipher) // one ciphertext in 256 starts like an image
	lucky[0], lucky[1] = Magic, 3
	for _, v := range []struct {
		name string
		data []byte
		want bool
	}{
		{"app", app, false},
		{"bootloader", boot, false},
		{"partition table", table, false},
		{"app without its first byte's magic", noMagic, false},
		{"app with a bad checksum", badSum, false},
		{"app for another chip", otherChip, false},
		{"erased flash", bytes.Repeat([]byte{0xFF}, 8192), false},
		{"text", bytes.Repeat([]byte("name,type,subtype,offset,size,flags\n"), 100), false},
		{"too short", cipher[:512], false},
		{"ciphertext of the app", cipher, true},
		{"ciphertext that starts like an image", lucky, true},
		{"ciphertext of the bootloader", likeFlashEncryption(t, boot), true},
		{"ciphertext of the table", likeFlashEncryption(t, table), true},
		{"ciphertext of blank otadata", likeFlashEncryption(t, bytes.Repeat([]byte{0xFF}, 0x2000)), true},
		{"1 KiB of ciphertext of erased flash", likeFlashEncryption(t, bytes.Repeat([]byte{0xFF}, 1024)), true},
	} {
		if got, why := LooksEncrypted(v.data); got != v.want || why == "" {
			t.Errorf("%s: %v (%s)", v.name, got, why)
		}
	}
}
