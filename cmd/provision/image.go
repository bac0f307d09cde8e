package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
)

func (a *app) image() *cobra.Command {
	return group("image", "App and bootloader files", a.imageInfo())
}

// imageFacts is what a file says of itself.
type imageFacts struct {
	Kind      string   `json:"kind"`
	File      string   `json:"file"`
	Size      int      `json:"size"`
	SHA256    string   `json:"sha256"`
	What      string   `json:"what"` // app, bootloader, image, partition table, encrypted, unknown
	Whole     bool     `json:"whole"`
	Problem   string   `json:"problem,omitempty"`
	Project   string   `json:"project,omitempty"`
	Version   string   `json:"version,omitempty"`
	IDF       string   `json:"idf,omitempty"`
	Built     string   `json:"built,omitempty"`
	Flash     string   `json:"flash,omitempty"`
	Chips     string   `json:"chips,omitempty"`
	Segments  []string `json:"segments,omitempty"`
	Length    int      `json:"length,omitempty"`
	Signature string   `json:"signature"`
	Keys      []string `json:"verification_keys,omitempty"`
}

func (a *app) imageInfo() *cobra.Command {
	return &cobra.Command{
		Use: "info FILE", Short: "What a file is, whether it is whole, whether it is signed (exit 1: not a whole image)", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			facts := examine(args[0], data)
			if a.json {
				err = a.emit(facts)
			} else {
				a.printImage(facts)
			}
			if err == nil && !facts.Whole {
				err = exitError{fault.ExitFail}
			}
			return err
		},
	}
}

// examine finds out what a file is.
func examine(path string, data []byte) imageFacts {
	sum := sha256.Sum256(data)
	f := imageFacts{Kind: "image", File: path, Size: len(data), SHA256: hex.EncodeToString(sum[:]), What: "unknown", Signature: "none"}
	im, err := image.Parse(data)
	if err != nil {
		f.Problem = err.Error()
		if hidden, why := image.LooksEncrypted(data); hidden && errors.Is(err, image.ErrNotImage) {
			f.What, f.Problem = "encrypted", "flash ciphertext: "+why
		}
	}
	if _, table := image.ParseTable(data); table == nil {
		f.What, f.Problem = "partition table", "a partition table is no image; see provision partition show "+shellQuote(path)
	}
	if im == nil {
		return f
	}
	f.Whole, f.What, f.Length = err == nil, "image", im.Length
	switch {
	case im.App != nil:
		f.What, f.Project, f.Version, f.IDF = "app", im.App.ProjectName, im.App.Version, im.App.IDFVersion
		f.Built = strings.TrimSpace(im.App.Date + " " + im.App.Time)
	case im.Bootloader != nil:
		f.What, f.IDF, f.Built = "bootloader", im.Bootloader.IDFVersion, im.Bootloader.DateTime
	}
	f.Flash = fmt.Sprintf("%v %v %v", im.FlashMode, im.FlashFreq, im.FlashSize)
	f.Chips = fmt.Sprintf("ESP32 v%d.%d or later", im.MinRev/100, im.MinRev%100)
	for _, s := range im.Segments {
		f.Segments = append(f.Segments, fmt.Sprintf("%#08x %d bytes", s.Address, len(s.Data)))
	}
	f.Signature = signatureOf(data, im)
	for _, k := range secureboot.FindPublicKeys(data[:im.Length]) {
		f.Keys = append(f.Keys, fmt.Sprintf("%s at %#x", k.Key.Fingerprint(), k.Offset))
	}
	return f
}

// signatureOf says what follows the image, without knowing any key.
func signatureOf(data []byte, im *image.Image) string {
	switch {
	case secureboot.IsSignedV2(data):
		return "Secure Boot V2"
	case len(im.Trailing) >= secureboot.BlockLenV1 && secureboot.LooksSignedV1(data[:im.Length+secureboot.BlockLenV1]):
		return "Secure Boot V1"
	}
	return "none"
}

func (a *app) printImage(f imageFacts) {
	rows := [][]string{{"file", f.File}, {"what", f.What}, {"size", fmt.Sprintf("%d bytes", f.Size)}, {"sha256", f.SHA256}}
	add := func(label, value string) {
		if value != "" {
			rows = append(rows, []string{label, value})
		}
	}
	add("project", strings.TrimSpace(f.Project+" "+f.Version))
	add("ESP-IDF", f.IDF)
	add("built", f.Built)
	add("flash", f.Flash)
	add("runs on", f.Chips)
	for i, s := range f.Segments {
		add(fmt.Sprintf("segment %d", i), s)
	}
	add("signature", f.Signature)
	for _, k := range f.Keys {
		add("holds key", k)
	}
	if f.Whole {
		add("whole", "yes: checksum and hash are right")
	} else {
		add("whole", "no: "+f.Problem)
	}
	table(a.out, "", rows)
}
