package ota

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"provision/internal/secureboot"
)

// signature is one found somewhere else than where a unit looks.
type signature struct {
	at      int // offset in the file; it covers everything before
	scheme  int
	signers []string
}

// readSignatures looks for the signatures that a unit would, and for others.
func (im *Image) readSignatures(content []byte) {
	tail := im.parsed.Trailing
	if im.signedV1() {
		im.v1 = signersV1(content, tail)
	}
	padded := sectorEnd(len(content))
	im.v2, im.v2Err = blockV2(im.data, padded)
	if im.v2 != nil {
		digest := sha256.Sum256(im.data[:padded])
		im.v2Right = digest == im.v2.Digest && pssHolds(im.v2, digest)
		im.v2More = furtherSigners(im.data[padded:])
	}
	if im.Scheme() == 0 {
		im.moved = findMoved(im.data, im.parsed.Length)
	}
}

// signedV1 reports what a V1 unit takes for a signature behind the image: 68 bytes
// that begin with version 0 and are not all filling.
func (im *Image) signedV1() bool {
	tail := im.parsedTail()
	return len(tail) >= secureboot.BlockLenV1 && secureboot.LooksSignedV1(append([]byte{0}, tail[:secureboot.BlockLenV1]...))
}

func (im *Image) parsedTail() []byte {
	if im.parsed == nil {
		return nil
	}
	return im.parsed.Trailing
}

// blockV2 is the first V2 signature block at that offset of the file.
func blockV2(data []byte, at int) (*secureboot.BlockV2, error) {
	if at+secureboot.BlockLenV2 > len(data) {
		return nil, &secureboot.NoSignatureError{Found: 0xFFFFFFFF}
	}
	return secureboot.ParseBlockV2(data[at:])
}

// furtherSigners are those of the signature blocks behind the first in a sector.
func furtherSigners(sector []byte) (signers []string) {
	for at := secureboot.BlockLenV2; at+secureboot.BlockLenV2 <= min(len(sector), secureboot.SectorLen); at += secureboot.BlockLenV2 {
		block, err := secureboot.ParseBlockV2(sector[at:])
		if err != nil {
			break
		}
		signers = append(signers, signerV2(block))
	}
	return signers
}

// pssHolds verifies the signature of a V2 block over a digest.
func pssHolds(b *secureboot.BlockV2, digest [sha256.Size]byte) bool {
	opts := &rsa.PSSOptions{SaltLength: sha256.Size, Hash: crypto.SHA256}
	return rsa.VerifyPSS(b.Key, crypto.SHA256, digest[:], b.Signature, opts) == nil
}

// movedMost bounds the search for signatures that are not where they belong.
const movedMost = 8

// findMoved looks behind the image's end, where a unit does not look: for V1 at the
// end of the file and then at every word, for V2 at every sector. It is for
// explaining a refusal, not for accepting anything.
func findMoved(data []byte, end int) (found []signature) {
	add := func(at int) {
		if at > end && len(found) < movedMost && secureboot.LooksSignedV1(data[:at+secureboot.BlockLenV1]) {
			if signers := signersV1(data[:at], data[at:]); signers != nil {
				found = append(found, signature{at: at, scheme: 1, signers: signers})
			}
		}
	}
	add(len(data) - secureboot.BlockLenV1)
	for at := end + 4; at+secureboot.BlockLenV1 < len(data); at += 4 {
		if binary.LittleEndian.Uint32(data[at:]) == 0 && binary.LittleEndian.Uint64(data[at+4:]) != 0 {
			add(at)
		}
	}
	for at := sectorEnd(end) + secureboot.SectorLen; at < len(data) && len(found) < movedMost; at += secureboot.SectorLen {
		if b, err := blockV2(data, at); err == nil {
			found = append(found, signature{at: at, scheme: 2, signers: []string{signerV2(b)}})
		}
	}
	return found
}

// sectorEnd is n rounded up to whole sectors: where V2 looks for a signature.
func sectorEnd(n int) int {
	return (n + secureboot.SectorLen - 1) / secureboot.SectorLen * secureboot.SectorLen
}

// ecdsaV2 reports a V2 signature by an ECDSA key, as other chips take it.
func (im *Image) ecdsaV2() bool {
	const version, crcAt = 0x000003E7, 1196 // ESP-IDF esp_secure_boot.h, ets_secure_boot_sig_block_t
	at := sectorEnd(im.Length())
	if im.parsed == nil || at+secureboot.BlockLenV2 > len(im.data) {
		return false
	}
	block := im.data[at:]
	return binary.LittleEndian.Uint32(block) == version && crc32.ChecksumIEEE(block[:crcAt]) == binary.LittleEndian.Uint32(block[crcAt:])
}

// v2Damaged reports a V2 signature block that is one by its first bytes only.
func (im *Image) v2Damaged() bool { return errors.Is(im.v2Err, secureboot.ErrBlockV2) }
