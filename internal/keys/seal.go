package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// What can be wrong with sealed bytes.
var (
	ErrNotForUs = errors.New("sealed to others")
	ErrDamaged  = errors.New("sealed key is damaged")
)

// Seal encrypts plaintext so that each of the recipients, and nobody else, can
// open it. The result is a binary age file.
func Seal(plaintext Secret, recipients ...Recipient) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, errors.New("seal: no recipients")
	}
	to := make([]age.Recipient, len(recipients))
	for i, r := range recipients {
		to[i] = r.key
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plaintext.Reveal()); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts what was sealed to id. ErrNotForUs when it was sealed to others,
// ErrDamaged when it is not as Seal made it.
func Open(id Identity, sealed []byte) (Secret, error) {
	if id.key == nil {
		return Secret{}, fmt.Errorf("open: %w", ErrNoIdentity)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), id.key())
	var others *age.NoIdentityMatchError
	if errors.As(err, &others) {
		return Secret{}, fmt.Errorf("open with %s: %w", id, ErrNotForUs)
	}
	if err != nil {
		return Secret{}, fmt.Errorf("open with %s: %w: %w", id, ErrDamaged, err)
	}
	// At once, since growing would leave copies behind; a plaintext is always
	// shorter than what it is sealed in.
	plain := make([]byte, len(sealed))
	n, err := io.ReadFull(r, plain)
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(plain)
		return Secret{}, fmt.Errorf("open with %s: %w: %w", id, ErrDamaged, err)
	}
	return NewSecret(plain[:n]), nil
}
