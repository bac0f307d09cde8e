package main

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/ota"
	"provision/internal/secureboot"
)

// ota is about updates over the air: made on the build machine, answered for from the
// records. Units are never touched.
func (a *app) ota() *cobra.Command {
	c := group("ota", "Updates over the air: will it be accepted, by which units, and if not, why",
		a.otaCheck(), a.otaSign(), a.otaPackage(), a.otaFleet())
	c.Long = `Updates over the air, in short:

  signed      yes, with the app-signing key: one for the whole fleet
  encrypted   no: publish it in plain. Each unit encrypts it with its own flash key
              as it writes it
  for whom    one file for all units. The bootloader key differs from unit to unit;
              it has nothing to do with updates and never leaves the line
  "image has invalid signature version field 0x..."
              the image is not signed: the number is what happens to stand where the
              signature should begin

All questions, with commands for Secure Boot V1 and V2: docs/ota.md.`
	return c
}

func (a *app) otaSign() *cobra.Command {
	var keyfile, output string
	var scheme int
	cmd := &cobra.Command{
		Use: "sign IMAGE --keyfile KEY --output FILE", Short: "Sign an app for the fleet, and check that units with that key accept it", Args: cobra.ExactArgs(1),
		Long: `Sign an app with the fleet's app-signing key, as secure sign-data does, and check the
result as a unit that trusts this key would. What such a unit would refuse for any
reason but its own slots, chip or secure version is not written. The file is the
same for every unit, and is published as it is: signed, in plain.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if output == "" {
				return usagef("where to? name the signed file with --output")
			}
			key, err := readSigningKey(keyfile)
			if err != nil {
				return err
			}
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			signed, signer, err := signUpdate(args[0], data, key, scheme)
			if err != nil {
				return err
			}
			if err := writeOutput(output, signed, 0o644, args[0], keyfile); err != nil {
				return err
			}
			return a.saySigned(output, signed, key.Version(), signer)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "the fleet's app-signing key (PEM)")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.IntVar(&scheme, "version", 0, "Secure Boot version of the units: 1 (ECDSA key) or 2 (RSA key); default: as the key is")
	return cmd
}

func (a *app) saySigned(path string, data []byte, scheme int, signer string) error {
	if a.json {
		return a.emit(map[string]any{
			"kind": "ota.signed", "file": path, "size": len(data), "sha256": sha256Hex(data), "version": scheme, "key": signer, "encrypted": false,
		})
	}
	_, err := fmt.Fprintf(a.out, "%s: signed for Secure Boot V%d with key %.16s; publish it as it is, in plain: one file for every unit that trusts this key\n", path, scheme, signer)
	return err
}

// signUpdate signs an app, scheme 0 being the key's own, and holds the result against
// a unit that trusts the key. path names the app in messages.
func signUpdate(path string, data []byte, key *secureboot.SigningKey, scheme int) (signed []byte, signer string, err error) {
	switch {
	case scheme < 0 || scheme > 2:
		return nil, "", usagef("--version %d: it is 1 or 2", scheme)
	case scheme != 0 && scheme != key.Version():
		return nil, "", usagef("Secure Boot V%d wants %s key, and this one is for V%d", scheme, [3]string{1: "an ECDSA P-256", 2: "an RSA-3072"}[scheme], key.Version())
	}
	if err := signable(path, data); err != nil {
		return nil, "", err
	}
	if signer, err = signerOf(key); err != nil {
		return nil, "", err
	}
	if key.Version() == 2 {
		signed, err = secureboot.AppendSignatureV2(key, data)
	} else {
		signed, err = secureboot.AppendSignatureV1(key, data, false)
	}
	if err != nil {
		return nil, "", usagef("sign %s: %w", path, err)
	}
	trusting := ota.Device{SecureBoot: ota.Known(key.Version()), ChecksApps: ota.Known(true), Trusts: ota.Known([]string{signer})}
	if reasons := ota.Check(signed, trusting).Reasons; len(reasons) > 0 {
		return nil, "", refusedUpdate(path, reasons[0])
	}
	return signed, signer, nil
}

// refusedUpdate is the reason for which a release step stops.
func refusedUpdate(path string, r ota.Reason) error {
	return advise(usagef("%s: %s", path, strings.TrimSuffix(r.Says, ".")), r.Do)
}

// signerOf is the fingerprint by which units know a signing key: V1 of the public key
// in their bootloader, V2 of what BLOCK2 holds.
func signerOf(key *secureboot.SigningKey) (string, error) {
	if public, ok := key.Public().(*rsa.PublicKey); ok {
		digest, err := secureboot.KeyDigestV2(public)
		return hex.EncodeToString(digest[:]), err
	}
	public, err := secureboot.NewPublicKeyV1(key.Public())
	return public.Fingerprint(), err
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
