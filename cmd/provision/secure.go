package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/flashcrypt"
)

// secure is what a build machine needs: signing keys, signatures, and the two
// algorithms by hand. Names and flags are espsecure's.
func (a *app) secure() *cobra.Command {
	c := group("secure", "Keys, signatures and encryption, as espsecure (for the build machine)",
		a.generateSigningKey(), a.extractPublicKey(), a.signData(), a.verifySignature(),
		a.generateKey(), a.digestBootloader(),
		a.cryptFlash("encrypt", "Encrypt a file as the flash of one unit", (*flashcrypt.Cipher).EncryptAt),
		a.cryptFlash("decrypt", "Decrypt the flash of one unit", (*flashcrypt.Cipher).DecryptAt),
	)
	for _, sub := range c.Commands() {
		sub.Aliases = espsecureNames(sub.Name())
		sub.PreRun = a.tellName
	}
	return c
}

// renamed are commands of espsecure, espefuse and esptool: their name, with
// underscores as up to version 4, and ours.
var renamed = [][2]string{
	{"encrypt_flash_data", "secure encrypt"},
	{"decrypt_flash_data", "secure decrypt"},
	{"digest_secure_bootloader", "secure digest-bootloader"},
	{"generate_flash_encryption_key", "secure generate-key"},
	{"generate_signing_key", "secure generate-signing-key"},
	{"extract_public_key", "secure extract-public-key"},
	{"sign_data", "secure sign-data"},
	{"verify_signature", "secure verify-signature"},
	{"image_info", "image info"},
	{"chip_id", "status"},
	{"flash_id", "status"},
	{"read_mac", "status"},
	{"summary", "efuse summary"},
	{"dump", "efuse dump"},
}

// espsecureNames are the names that espsecure has for provision secure NAME: with
// underscores, and with dashes since version 5.
func espsecureNames(name string) (names []string) {
	for _, r := range renamed {
		if r[1] != "secure "+name {
			continue
		}
		for _, old := range []string{r[0], strings.ReplaceAll(r[0], "_", "-")} {
			if old != name {
				names = append(names, old)
			}
		}
	}
	return names
}

// tellName says what a command is called here when it was called by another name.
func (a *app) tellName(cmd *cobra.Command, _ []string) {
	if called := cmd.CalledAs(); called != cmd.Name() {
		fmt.Fprintf(a.err, "provision: %s is called %s here\n", called, strings.TrimPrefix(cmd.CommandPath(), "provision "))
	}
}

// calledHere is our name for a command of esptool, espefuse or espsecure; empty for
// any other word.
func calledHere(theirs string) string {
	theirs = strings.ReplaceAll(theirs, "-", "_")
	if i := slices.IndexFunc(renamed, func(r [2]string) bool { return r[0] == theirs }); i >= 0 {
		return "provision " + renamed[i][1]
	}
	return ""
}

// parseNumber reads a flag in decimal or 0x hex.
func parseNumber(flag, s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, usagef("%s %q: it is a number like 0x10000", flag, s)
	}
	return n, nil
}
