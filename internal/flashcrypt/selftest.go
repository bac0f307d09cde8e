package flashcrypt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrSelfTest means that this program, on this machine, does not encrypt as the
// hardware does. Nothing may be written with it.
var ErrSelfTest = errors.New("flash encryption self-test failed")

// knownAnswers encrypt 40 41 .. 7f with FLASH_CRYPT_CONFIG 0xF. key is the first
// byte of a counting key of keyLen bytes. Ciphertext from espsecure 4.8.1.
var knownAnswers = []struct {
	key        byte
	keyLen     int
	offset     uint32
	ciphertext string
}{
	{0x00, 32, 0x0, "78fadd4f7bbd234f11ffa1a4138741d8881f948af250d92befb15a75e14ef055" +
		"4e35e471a179d2b91376bb211854d7ae0fcc6f3b6afe44460ba77d593f2959c1"},
	{0x00, 32, 0x1000, "364e441b4b1be16122dde3c6fbf339fde9c7e07f9c8cecfe53df38b7f4325c2a" +
		"e527ae6c733a38b5f2daf9e0bb3ff4db38cc12dc8c6315e654e84276e95a8726"},
	{0x00, 32, 0x10020, "68e51b3edc6cc2bbba47db8ee0500ee6a8b5b9773da6a65a9725a2677f3a05e7" +
		"5a5779b00514b55cebb301b61bcedec95fca61d8f4afc5e33d7399c2f5013cdb"},
	{0x00, 32, 0xABCDE0, "5e6df183a86752ef62da01eb86ab668ee2cd58dddefedc046f311d6e9cc3fe7f" +
		"3d236d854a318003529769884029ec78a206aed95a0ed67a0c14ec6c71de0093"},
	{0x20, 24, 0x10000, "21dd382e3989889fbbb2bfdfaf22b477f66987a8d967ae2492cab966ff558a1a" +
		"116a64f44f6cc040ce2c5c82c1760ed44cc9d699a0c5a68768053ab1708fc0c4"},
}

// SelfTest checks both directions against known answers. A station runs it once
// before it trusts its own ciphertext. The error is ErrSelfTest.
func SelfTest() error {
	plain := counting(0x40, 64)
	for _, v := range knownAnswers {
		want, err := hex.DecodeString(v.ciphertext)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSelfTest, err)
		}
		key, got := counting(v.key, v.keyLen), make([]byte, len(plain))
		err = Encrypt(got, plain, key, v.offset, ConfAll)
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%w: encrypting at %#x with a %d-byte key: %w", ErrSelfTest, v.offset, v.keyLen, orDiffers(err))
		}
		err = Decrypt(got, got, key, v.offset, ConfAll)
		if err != nil || !bytes.Equal(got, plain) {
			return fmt.Errorf("%w: decrypting at %#x with a %d-byte key: %w", ErrSelfTest, v.offset, v.keyLen, orDiffers(err))
		}
	}
	return nil
}

var errDiffers = errors.New("result differs from the known answer")

func orDiffers(err error) error {
	if err != nil {
		return err
	}
	return errDiffers
}

// counting returns n bytes first, first+1, ...
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}
