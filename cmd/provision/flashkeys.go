package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/secureboot"
)

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
			return a.newFile(args[0], key, 0o600)
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
			if im, _ := image.Parse(boot); im != nil && im.App != nil {
				return usagef("%s is an app (%s), not a bootloader", args[0], im.App.ProjectName)
			}
			out, err := secureboot.BootRegionV1(key, iv, boot)
			if err != nil {
				return usagef("%s: %w", args[0], err)
			}
			if output == "" {
				output = "bootloader-reflash-digest.bin"
				fmt.Fprintf(a.err, "provision: writing %s; --output names another file\n", output)
			}
			return a.output(output, flashcrypt.PadFF(out, digestPiece), 0o644, args[0], keyfile, ivfile)
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
			return a.output(output, out, 0o600, args[0], keyfile)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&keyfile, "keyfile", "k", "", "the unit's flash key, 32 or 24 raw bytes")
	fl.StringVarP(&output, "output", "o", "", "file to write")
	fl.StringVarP(&address, "address", "a", "", "where the file lies in flash")
	fl.StringVar(&conf, "flash-crypt-conf", "0xF", "FLASH_CRYPT_CONFIG of the chip")
	return cmd
}
