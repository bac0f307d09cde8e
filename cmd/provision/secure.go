package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/secureboot"
)

// secure is what a build machine needs: signing keys, signatures, and the two
// algorithms by hand. Names and flags are espsecure's.
func (a *app) secure() *cobra.Command {
	return group("secure", "Keys, signatures and encryption, as espsecure (for the build machine)",
		a.generateSigningKey(), a.extractPublicKey(), a.signData(), a.verifySignature(),
		a.generateKey(), a.digestBootloader(),
		a.cryptFlash("encrypt", "Encrypt a file as the flash of one unit", (*flashcrypt.Cipher).EncryptAt),
		a.cryptFlash("decrypt", "Decrypt the flash of one unit", (*flashcrypt.Cipher).DecryptAt),
	)
}

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
			if err := writeNew(args[0], data, 0o600); err != nil {
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
			return writeNew(args[0], data, 0o644)
		},
	}
	cmd.Flags().StringVarP(&keyfile, "keyfile", "k", "", "signing key (PEM)")
	return cmd
}

func (a *app) signData() *cobra.Command {
	var keyfile, output string
	var scheme int
	var again bool
	cmd := &cobra.Command{
		Use: "sign-data --keyfile KEY --output SIGNED FILE", Short: "Sign an app or a partition table", Args: cobra.ExactArgs(1),
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
			return writeOutput(output, signed, 0o644, args[0], keyfile)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "signing key (PEM)")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.IntVar(&scheme, "version", 1, "Secure Boot version: 1 or 2")
	fl.BoolVar(&again, "again", false, "sign also what is signed already (V1)")
	return cmd
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

func (a *app) generateKey() *cobra.Command {
	var length int
	cmd := &cobra.Command{
		Use: "generate-key FILE", Short: "Make a random flash or bootloader key (the station makes its own)", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if length != 256 && length != 192 {
				return usagef("--keylen %d: it is 256, or 192 for chips with 3/4 coding", length)
			}
			key := make([]byte, length/8)
			// crypto/rand never fails: it ends the program instead.
			_, _ = rand.Read(key)
			return writeNew(args[0], key, 0o600)
		},
	}
	cmd.Flags().IntVarP(&length, "keylen", "l", 256, "length in bits")
	return cmd
}

// digestPiece is how much the chip digests at a time, in bytes (ESP32 TRM, "Secure
// Boot").
const digestPiece = 128

func (a *app) digestBootloader() *cobra.Command {
	var keyfile, output, ivfile string
	cmd := &cobra.Command{
		Use: "digest-bootloader --keyfile KEY --output FILE BOOTLOADER", Args: cobra.ExactArgs(1),
		Short: "Make flash from 0x0 on: Secure Boot V1 digest and bootloader",
		Long: `Make flash from 0x0 on: Secure Boot V1 digest and bootloader, filled up with 0xFF
to whole pieces of 128 bytes as the chip digests them. The bytes are espsecure's,
except that it cuts the tail of the appended SHA-256 of some bootloaders.`,
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readFlag("--keyfile", keyfile)
			if err != nil {
				return err
			}
			iv := make([]byte, secureboot.IVLenV1)
			if ivfile == "" {
				// crypto/rand never fails: it ends the program instead.
				_, _ = rand.Read(iv)
			} else if iv, err = readInput(ivfile); err != nil {
				return err
			}
			boot, err := readInput(args[0])
			if err != nil {
				return err
			}
			out, err := secureboot.BootRegionV1(key, iv, boot)
			if err != nil {
				return usagef("%s: %w", args[0], err)
			}
			if output == "" {
				output = "bootloader-reflash-digest.bin"
			}
			return writeOutput(output, flashcrypt.PadFF(out, digestPiece), 0o644, args[0], keyfile, ivfile)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "the unit's bootloader key, 32 or 24 raw bytes")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.StringVar(&ivfile, "iv", "", "128 raw bytes (default: random)")
	return cmd
}

func (a *app) cryptFlash(use, short string, do func(*flashcrypt.Cipher, []byte, []byte, uint32) error) *cobra.Command {
	var keyfile, output, address, conf string
	cmd := &cobra.Command{
		Use: use + " --keyfile KEY --address OFFSET --output FILE INPUT", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if address == "" {
				return usagef("where in flash does it lie? say --address, like 0x10000: the address is part of the cipher")
			}
			offset, err := parseNumber("--address", address)
			if err != nil {
				return err
			}
			config, err := parseNumber("--flash-crypt-conf", conf)
			if err != nil {
				return err
			}
			if output == "" {
				return usagef("where to? name the file with --output")
			}
			key, err := readFlag("--keyfile", keyfile)
			if err != nil {
				return err
			}
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			cipher, err := flashcrypt.New(key, uint8(config))
			if err != nil {
				return usagef("%s: %w", keyfile, err)
			}
			data = flashcrypt.PadFF(data, 16)
			out := make([]byte, len(data))
			if err := do(cipher, out, data, uint32(offset)); err != nil {
				return usagef("%s: %w", args[0], err)
			}
			return writeOutput(output, out, 0o600, args[0], keyfile)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "the unit's flash key, 32 or 24 raw bytes")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.StringVarP(&address, "address", "a", "", "where the file lies in flash")
	fl.StringVar(&conf, "flash-crypt-conf", "0xF", "FLASH_CRYPT_CONFIG of the chip")
	return cmd
}

// parseNumber reads a flag in decimal or 0x hex.
func parseNumber(flag, s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, usagef("%s %q: it is a number like 0x10000", flag, s)
	}
	return n, nil
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
