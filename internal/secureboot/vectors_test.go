package secureboot

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// hexBytes is a hex string in a vector file.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type digestVector struct {
	Key, IV, Image hexBytes
	Region         hexBytes `json:"digest_region_192"`
	OutputLen      int      `json:"output_len"`
	OutputSHA256   string   `json:"output_sha256"`
}

type signatureV1Vector struct {
	PEM           string   `json:"private_key_pem"`
	PublicKey     hexBytes `json:"public_key_raw_64"`
	Image, Signed hexBytes
}

type signatureV2Vector struct {
	PEM           string   `json:"private_key_pem"`
	KeyDigest     hexBytes `json:"public_key_digest"`
	Image, Signed hexBytes
	SignedLen     int `json:"signed_len"`
}

type vectorFile struct {
	Origin       string
	Digests      []digestVector      `json:"secure_boot_v1_digest"`
	SignaturesV1 []signatureV1Vector `json:"secure_boot_v1_signature"`
	SignaturesV2 []signatureV2Vector `json:"secure_boot_v2_rsa"`
}

func vectors(t testing.TB) vectorFile {
	t.Helper()
	raw, err := os.ReadFile("testdata/espsecure.json")
	if err != nil {
		t.Fatal(err)
	}
	var file vectorFile
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Digests) == 0 || len(file.SignaturesV1) == 0 || len(file.SignaturesV2) == 0 {
		t.Fatal("testdata/espsecure.json lacks a kind of vectors")
	}
	return file
}
