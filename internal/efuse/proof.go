package efuse

import "fmt"

// Proven says which key blocks were read back and found to hold the key they
// should, before they were hidden. It comes from Compare, or from a journal that
// was written after a Compare; the zero Proven proves nothing.
type Proven struct{ block1, block2 bool }

// Compare checks that a key block can be read and holds exactly want. The proof is
// to be made durable before the block is hidden: afterwards nobody can repeat it.
// The error is ErrHidden, ErrNoKey, ErrReadBack (bits of the key are still to be
// burnt) or ErrForeign (bits that are not the key's).
func Compare(have Words, block int, want KeyBlock) (Proven, error) {
	switch {
	case block != 1 && block != 2:
		return Proven{}, fmt.Errorf("compare BLOCK%d, which holds no key: %w", block, ErrShape)
	case have.Hidden(block):
		return Proven{}, fmt.Errorf("compare BLOCK%d: %w", block, ErrHidden)
	case !want.Known():
		return Proven{}, fmt.Errorf("compare BLOCK%d: %w", block, ErrNoKey)
	}
	missing, err := missingKey(have, block, want)
	if err != nil {
		return Proven{}, err
	}
	if n := count(missing); n > 0 {
		return Proven{}, fmt.Errorf("BLOCK%d lacks %d bits of its key: %w", block, n, ErrReadBack)
	}
	return Proven{block1: block == 1, block2: block == 2}, nil
}

// ProvenFromJournal restores proofs that Compare gave earlier for this very chip
// and that were durably recorded then. Anything else put in here hides a key that
// nobody has seen.
func ProvenFromJournal(block1, block2 bool) Proven {
	return Proven{block1, block2}
}

// And returns what either proves.
func (p Proven) And(other Proven) Proven {
	return Proven{p.block1 || other.block1, p.block2 || other.block2}
}

// Has reports whether block was proven.
func (p Proven) Has(block int) bool {
	return block == 1 && p.block1 || block == 2 && p.block2
}

// missingKey returns the bits of the key that a readable block lacks. A bit that is
// not the key's is ErrForeign: burning on would make a third key, the OR of two.
func missingKey(have Words, block int, key KeyBlock) ([8]uint32, error) {
	missing, err := missingBits(have[block], key.Reveal())
	if err != nil {
		return missing, fmt.Errorf("BLOCK%d holds bits of another key: %w: %w", block, ErrForeign, err)
	}
	return missing, nil
}
