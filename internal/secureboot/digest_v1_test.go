package secureboot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

func TestDigestVectors(t *testing.T) {
	file := vectors(t)
	for i, v := range file.Digests {
		t.Run(fmt.Sprintf("%d_key%d_image%d", i, len(v.Key), len(v.Image)), func(t *testing.T) {
			sector, err := DigestSectorV1(v.Key, v.IV, v.Image)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sector[:len(v.Region)], v.Region) {
				t.Errorf("IV and digest = %x\nwant %x (%s)", sector[:len(v.Region)], v.Region, file.Origin)
			}
			// espsecure writes only the digested part of the bootloader, filled
			// up with FF; we keep the whole file.
			n, err := digestedLen(v.Image, len(v.Image))
			if err != nil {
				t.Fatal(err)
			}
			output := append(bytes.Clone(sector), padFF(v.Image[:min(n, len(v.Image))], n)...)
			sum := sha256.Sum256(output)
			if len(output) != v.OutputLen || hex.EncodeToString(sum[:]) != v.OutputSHA256 {
				t.Errorf("digest_bootloader output: %d bytes, SHA-256 %x; want %d, %s (%s)", len(output), sum, v.OutputLen, v.OutputSHA256, file.Origin)
			}
			region, err := BootRegionV1(v.Key, v.IV, v.Image)
			if err != nil || !bytes.Equal(region[:SectorLen], sector) || !bytes.Equal(region[SectorLen:], v.Image) {
				t.Errorf("BootRegionV1 is not sector 0 and the whole bootloader: %v", err)
			}
		})
	}
}

// Known answers made with espsecure 4.8.1 on the hand-made image of SelfTest.
func TestDigestKnownAnswers(t *testing.T) {
	plain := unhex(t, knownImage)
	hashed := append(bytes.Clone(plain), unhex(t, "b0d2baaa6e53d7cedfb4d0fd1403f65ef080ab504915b4b44bc72a3cc9ece6b3")...)
	hashed[hashAppended] = 1
	for _, v := range []struct {
		name  string
		key   []byte
		image []byte
		want  string
	}{
		{"256-bit key", counting(0x80, 32), plain, knownDigest},
		{"192-bit key", counting(0x80, 24), plain, "a0c939a78f9385b310aeec525528d5bbef0e9f3d904e38ca11956ef62e8c0e9b" +
			"ffad75322855def6aa3490f701544f8eb3983feecd555d163ebb8a2ddc086a41"},
		{"appended hash", counting(0x80, 32), hashed, "c43a2f5d1576bd71308e229561f0a1d2dd8c8388015c21399a2b27336fd8895a" +
			"b4c939ad85fd2351e74b473181a8ede654c5fe21076fddf63b9a2647b7847a44"},
	} {
		got, err := DigestV1(v.key, counting(0, IVLenV1), v.image)
		if err != nil || hex.EncodeToString(got[:]) != v.want {
			t.Errorf("%s: %x, %v; want %s", v.name, got, err, v.want)
		}
	}
}

func TestVerifyDigest(t *testing.T) {
	v := vectors(t).Digests[0]
	flash := padFF(v.Image, 2*SectorLen) // as the chip sees it: more flash follows
	if err := VerifyDigestV1(v.Key, v.Region, flash, len(v.Image)); err != nil {
		t.Errorf("good digest: %v", err)
	}
	for name, spoil := range map[string]func(key, sector, flash []byte){
		"other key":         func(key, _, _ []byte) { key[5] ^= 1 },
		"other IV":          func(_, sector, _ []byte) { sector[0] ^= 1 },
		"other digest":      func(_, sector, _ []byte) { sector[IVLenV1] ^= 1 },
		"bootloader edited": func(_, _, flash []byte) { flash[3] ^= 0x10 },
		"left-overs after the image, inside the last unit": func(_, _, flash []byte) { flash[len(v.Image)] = 0 },
	} {
		key, sector, other := bytes.Clone(v.Key), bytes.Clone(v.Region), bytes.Clone(flash)
		spoil(key, sector, other)
		if err := VerifyDigestV1(key, sector, other, len(v.Image)); !errors.Is(err, ErrDigest) {
			t.Errorf("%s: %v, want ErrDigest", name, err)
		}
	}
	if err := VerifyDigestV1(v.Key, v.Region[:100], flash, len(v.Image)); !errors.Is(err, ErrDigest) {
		t.Errorf("short sector: %v", err)
	}
}

func TestDigestRefusals(t *testing.T) {
	image := unhex(t, knownImage)
	hashed := bytes.Clone(image[:40])
	hashed[hashAppended] = 1
	for _, v := range []struct {
		name           string
		key, iv, image []byte
		want           error
	}{
		{"short key", counting(0, 16), counting(0, 128), image, ErrKeyLength},
		{"short IV", counting(0, 32), counting(0, 127), image, ErrIVLength},
		{"empty file", counting(0, 32), counting(0, 128), nil, ErrNotBootloader},
		{"no magic", counting(0, 32), counting(0, 128), image[1:], ErrNotBootloader},
		{"no room for the hash", counting(0, 32), counting(0, 128), hashed, ErrNotBootloader},
	} {
		if _, err := BootRegionV1(v.key, v.iv, v.image); !errors.Is(err, v.want) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}

func BenchmarkDigestV1(b *testing.B) {
	image := padFF([]byte{imageMagic}, 0x6000) // a usual bootloader's size
	b.SetBytes(int64(len(image)))
	for b.Loop() {
		if _, err := DigestV1(counting(0, 32), counting(0, IVLenV1), image); err != nil {
			b.Fatal(err)
		}
	}
}
