package main

import (
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
)

func (a *app) generateSigningKey() *cobra.Command {
	var scheme int
	cmd := &cobra.Command{
		Use: "generate-signing-key FILE", Short: "Make an app-signing key (PEM); keep it off the line", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			make, ok := map[int]func() (*secureboot.SigningKey, error){
				1: secureboot.GenerateSigningKeyV1, 2: secureboot.GenerateSigningKeyV2,
			}[scheme]
			if !ok {
				return usagef("--version %d: it is 1 or 2", scheme)
			}
			key, err := make()
			if err != nil {
				return err
			}
			data, err := key.MarshalPEM()
			if err != nil {
				return err
			}
			if err := a.newFile(args[0], data, 0o600); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "provision: %s made. It signs every app of the fleet: back it up, keep it off the line.\n", args[0])
			return nil
		},
	}
	cmd.Flags().IntVar(&scheme, "version", 1, "Secure Boot version: 1 (ECDSA P-256) or 2 (RSA-3072)")
	return cmd
}

func (a *app) extractPublicKey() *cobra.Command {
	var keyfile string
	cmd := &cobra.Command{
		Use: "extract-public-key --keyfile KEY FILE", Short: "Write the public half of a signing key (PEM)", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readSigningKey(keyfile)
			if err != nil {
				return err
			}
			data, err := key.MarshalPublicPEM()
			if err != nil {
				return err
			}
			return a.newFile(args[0], data, 0o644)
		},
	}
	cmd.Flags().StringVarP(&keyfile, "keyfile", "k", "", "signing key (PEM)")
	return cmd
}

func (a *app) signData() *cobra.Command {
	var keyfile, output string
	var scheme int
	var again, anything bool
	cmd := &cobra.Command{
		Use: "sign-data --keyfile KEY --output SIGNED FILE", Short: "Sign an app, a bootloader or a partition table", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readSigningKey(keyfile)
			if err != nil {
				return err
			}
			if output == "" {
				return usagef("where to? name the signed file with --output")
			}
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			if err := signable(args[0], data); err != nil && !anything {
				return err
			}
			var signed []byte
			switch scheme {
			case 1:
				signed, err = secureboot.AppendSignatureV1(key, data, again)
			case 2:
				signed, err = secureboot.AppendSignatureV2(key, data)
			default:
				return usagef("--version %d: it is 1 or 2", scheme)
			}
			if err != nil {
				return usagef("sign %s: %w", args[0], err)
			}
			return a.output(output, signed, 0o644, args[0], keyfile)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "signing key (PEM)")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.IntVar(&scheme, "version", 1, "Secure Boot version: 1 or 2")
	fl.BoolVar(&anything, "any", false, "sign whatever the file is")
	fl.BoolVar(&again, "again", false, "sign also what is signed already (V1)")
	return cmd
}

// signable refuses what no unit would ever check: a signature over it is a mistake,
// and one over a key or over ciphertext a bad one. Images of every chip are signed.
func signable(path string, data []byte) error {
	_, broken := image.Parse(data)
	if broken == nil || errors.Is(broken, image.ErrChip) {
		return nil
	}
	if _, err := image.ParseTable(data); err == nil {
		return nil
	}
	if holdsSecretKey(data) {
		return usagef("%s holds a secret key: nothing was signed", path)
	}
	if hidden, why := image.LooksEncrypted(data); hidden {
		return usagef("%s is already encrypted (%s): sign the plain file", path, why)
	}
	return usagef("%s is no whole image and no partition table: %w; --any signs it all the same", path, broken)
}

func (a *app) verifySignature() *cobra.Command {
	var keyfile string
	var scheme int
	cmd := &cobra.Command{
		Use: "verify-signature --keyfile PUBLIC FILE", Short: "Check a signed file (exit 1 when it does not verify)", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			pem, err := readFlag("--keyfile", keyfile)
			if err != nil {
				return err
			}
			signer, verdict, err := verifyFile(scheme, data, pem)
			if err != nil {
				return usagef("%s: %w", keyfile, err)
			}
			return a.sayVerified(args[0], signer, verdict)
		},
	}
	cmd.Flags().StringVarP(&keyfile, "keyfile", "k", "", "public key: PEM, or 64 raw bytes (V1)")
	cmd.Flags().IntVar(&scheme, "version", 1, "Secure Boot version: 1 or 2")
	return cmd
}

// verifyFile returns the fingerprint of the key and what is wrong with the
// signature; err is about the key.
func verifyFile(scheme int, data, key []byte) (signer string, verdict, err error) {
	switch scheme {
	case 1:
		pub, err := secureboot.ParsePublicKeyV1(key)
		if err != nil {
			return "", nil, err
		}
		return pub.Fingerprint(), secureboot.VerifyV1(data, pub), nil
	case 2:
		var pub *rsa.PublicKey
		if pub, err = secureboot.ParsePublicKeyV2(key); err != nil {
			return "", nil, err
		}
		digest, err := secureboot.KeyDigestV2(pub)
		return hex.EncodeToString(digest[:]), secureboot.VerifyV2(data, digest), err
	}
	return "", nil, fmt.Errorf("--version %d: it is 1 or 2", scheme)
}

func (a *app) sayVerified(path, signer string, verdict error) error {
	reason := ""
	if verdict != nil {
		reason = verdict.Error()
	}
	if a.json {
		if err := a.emit(map[string]any{"kind": "signature", "file": path, "valid": verdict == nil, "key": signer, "reason": reason}); err != nil {
			return err
		}
	} else if verdict == nil {
		fmt.Fprintf(a.out, "%s: signature is valid (key %.16s)\n", path, signer)
	}
	if verdict != nil {
		fmt.Fprintf(a.err, "provision: %s: %s\n", path, reason)
		return exitError{fault.ExitFail}
	}
	return nil
}

// readSigningKey reads a private signing key.
func readSigningKey(path string) (*secureboot.SigningKey, error) {
	data, err := readFlag("--keyfile", path)
	if err != nil {
		return nil, err
	}
	key, err := secureboot.ParseSigningKey(data)
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return key, nil
}
