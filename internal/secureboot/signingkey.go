package secureboot

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	// ErrSigningKey means a file that holds no private key we can sign with.
	ErrSigningKey = errors.New("not a Secure Boot signing key (ECDSA P-256 or RSA-3072)")
	// ErrEncryptedPEM means a private key behind a passphrase.
	ErrEncryptedPEM = errors.New("signing key is encrypted with a passphrase; decrypt it first or use a token")
)

// SigningKey is a private key of the build machine: ECDSA P-256 for V1, RSA-3072
// for V2. It is a crypto.Signer. It prints as [secret] in fmt, slog and JSON: the
// key sits behind a func because fmt prints private fields of other types without
// asking Format.
type SigningKey struct {
	reveal func() crypto.Signer // *ecdsa.PrivateKey or *rsa.PrivateKey
}

func newSigningKey(key crypto.Signer) *SigningKey {
	return &SigningKey{reveal: func() crypto.Signer { return key }}
}

// GenerateSigningKeyV1 makes a new P-256 key from the system's CSPRNG.
func GenerateSigningKeyV1() (*SigningKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate V1 signing key: %w", err)
	}
	return newSigningKey(key), nil
}

// GenerateSigningKeyV2 makes a new RSA-3072 key from the system's CSPRNG. It takes
// a second or so.
func GenerateSigningKeyV2() (*SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, modulusLenV2*8)
	if err != nil {
		return nil, fmt.Errorf("generate V2 signing key: %w", err)
	}
	return newSigningKey(key), nil
}

// ParseSigningKey reads a PEM private key: SEC 1 ("EC PRIVATE KEY"), PKCS #1 ("RSA
// PRIVATE KEY") or PKCS #8 ("PRIVATE KEY"). Blocks before it (openssl writes "EC
// PARAMETERS") are skipped. Errors: ErrEncryptedPEM, or ErrSigningKey for
// everything else, other curves and key sizes too.
func ParseSigningKey(file []byte) (*SigningKey, error) {
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%w: no PEM private key in the file", ErrSigningKey)
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, ErrEncryptedPEM
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return parsePrivateDER(block)
		}
	}
}

func parsePrivateDER(block *pem.Block) (*SigningKey, error) {
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w, but ECDSA %s", ErrSigningKey, key.Curve.Params().Name)
		}
		return newSigningKey(key), nil
	case *rsa.PrivateKey:
		if key.N.BitLen() != modulusLenV2*8 {
			return nil, fmt.Errorf("%w, but RSA-%d", ErrSigningKey, key.N.BitLen())
		}
		return newSigningKey(key), nil
	}
	return nil, fmt.Errorf("%w, but %T", ErrSigningKey, key)
}

// Version returns the Secure Boot version the key signs for: 1 (ECDSA) or 2 (RSA).
func (k *SigningKey) Version() int {
	if _, ok := k.reveal().(*rsa.PrivateKey); ok {
		return 2
	}
	return 1
}

// Public returns the *ecdsa.PublicKey or *rsa.PublicKey.
func (k *SigningKey) Public() crypto.PublicKey { return k.reveal().Public() }

// Sign implements crypto.Signer. ECDSA with a nil random is deterministic (RFC 6979).
func (k *SigningKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.reveal().Sign(random, digest, opts)
}

// MarshalPEM returns the private key as espsecure's generate_signing_key writes
// it: SEC 1 for ECDSA, PKCS #1 for RSA. The result is the secret itself.
func (k *SigningKey) MarshalPEM() ([]byte, error) {
	switch key := k.reveal().(type) {
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode signing key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
	default:
		return nil, fmt.Errorf("encode signing key: %w, but %T", ErrSigningKey, key)
	}
}

// MarshalPublicPEM returns the public half as a PEM "PUBLIC KEY".
func (k *SigningKey) MarshalPublicPEM() ([]byte, error) { return marshalPublicPEM(k.Public()) }

// Format prints [secret] for every verb.
func (SigningKey) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// MarshalJSON prints "[secret]".
func (SigningKey) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }
