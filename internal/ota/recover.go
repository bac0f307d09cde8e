package ota

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"math/big"

	"provision/internal/secureboot"
)

// signersV1 are the fingerprints of the keys under which block, a V1 signature, is a
// good signature of content: two as a rule, since a signature leaves the sign of one
// coordinate open; none when it cannot be a signature. So a signature can be held
// against a fingerprint where the key itself is not at hand. Finding a block that
// recovers to a given key is as hard as signing with it. When content is not what
// was signed, these are keys that nobody has.
//
// The method: SEC 1, section 4.1.6.
func signersV1(content, block []byte) []string {
	if len(block) < secureboot.BlockLenV1 {
		return nil
	}
	curve := elliptic.P256()
	order := curve.Params().N
	r, s := new(big.Int).SetBytes(block[4:36]), new(big.Int).SetBytes(block[36:68])
	if r.Sign() == 0 || s.Sign() == 0 || r.Cmp(order) >= 0 || s.Cmp(order) >= 0 {
		return nil
	}
	sum := sha256.Sum256(content)
	inverse := new(big.Int).ModInverse(r, order)
	scale := func(v *big.Int) []byte { // v/r
		v = new(big.Int).Mul(v, inverse)
		return v.Mod(v, order).Bytes()
	}
	minusHash := new(big.Int).Sub(order, new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), order))
	var found []string
	for _, sign := range []byte{2, 3} {
		rx, ry := elliptic.UnmarshalCompressed(curve, append([]byte{sign}, block[4:36]...))
		if rx == nil {
			return nil // r is no coordinate of a point
		}
		//lint:ignore SA1019 public data, and nothing else in the standard library adds points
		x1, y1 := curve.ScalarMult(rx, ry, scale(s))
		//lint:ignore SA1019 as above
		x2, y2 := curve.ScalarBaseMult(scale(minusHash))
		//lint:ignore SA1019 as above
		x, y := curve.Add(x1, y1, x2, y2)
		if x.Sign() == 0 && y.Sign() == 0 {
			continue // the point at infinity is no key
		}
		var key secureboot.PublicKeyV1
		x.FillBytes(key[:32])
		y.FillBytes(key[32:])
		found = append(found, key.Fingerprint())
	}
	return found
}

// signerV2 is the fingerprint of the key in a V2 signature block.
func signerV2(block *secureboot.BlockV2) string {
	digest, err := secureboot.KeyDigestV2(block.Key)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(digest[:])
}
