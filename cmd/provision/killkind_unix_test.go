//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"provision/internal/campaign/judge"
	"provision/internal/demo"
)

// killKind is a station of which processes are killed, and the unit in its slot.
type killKind struct {
	name string
	// served says that the chip lives in another process and keeps its power. Else it
	// dies with the station, and its firmware starts when it is taken up again.
	served bool
	byUnit bool // the unit encrypts itself at its first start
	escrow bool // the owner keeps the keys
	closed bool // download mode is closed at the end
}

var killKinds = []killKind{
	{name: "served", served: true},
	{name: "sim", escrow: true},
	{name: "sim, closed", closed: true},
	// What the unit does by itself is cut where the station is: its flash stays half
	// converted, and whoever opens its port next starts it again.
	{name: "by the unit", byUnit: true, escrow: true},
	// The unit goes on alone, and burns with nobody there to see it.
	{name: "by the unit, served", served: true, byUnit: true},
}

// reset reports whether the station can reset the unit, and so start it.
func (k killKind) reset() bool { return !k.served || k.byUnit }

// sample is how many units of a kind a plain test run kills in each way.
func (k killKind) sample() int {
	if k.byUnit {
		return 2
	}
	return 4
}

// killSerial is the first number of the station's sequence. A second one would be
// one too many.
const killSerial = "AB-000001"

func (k killKind) profile(product, owner string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[station]\nname = \"KILLED\"\narmed = true")
	if !k.reset() {
		line("[link]\nreset = \"none\"")
	}
	line("[unit]\nflash_size = \"4MB\"")
	line(`serial = { pattern = "^AB-[0-9]{6}$", source = "sequence", prefix = "AB-", next = "000001" }`)
	if k.closed {
		line("min_revision = \"v3.0\"")
	}
	bootloader, mode := "bootloader.bin", "host"
	if k.byUnit {
		bootloader, mode = "bootloader-encrypts.bin", "device"
	}
	line("[images]")
	line("bootloader = %q", filepath.Join(product, bootloader))
	line("partition_table = %q", filepath.Join(product, "partition-table.bin"))
	line("app = %q", filepath.Join(product, "app-signed.bin"))
	line("[secure_boot]\nversion = 1\npublic_key = %q", filepath.Join(product, "app-public.pem"))
	line("[flash_encryption]\nmode = %q\npolicy = \"release\"", mode)
	if k.closed {
		line("[lock]\nUART_DOWNLOAD_DIS = true")
	}
	if k.escrow {
		line("[keys]\ncustody = \"escrow\"\nrecipients = [%q]", owner)
	}
	if k.reset() {
		line("[boot_check]\nexpect = %q\nseconds = 5", demo.Says)
	}
	return b.String()
}

// uartDis is UART_DOWNLOAD_DIS, in word 0 of BLOCK0.
const uartDis = 1 << 27

// order is what the unit has to come to, from docs/profile.md and the fuse map of
// the ESP32 TRM, and where the demo's firmware lies.
func (k killKind) order() judge.Order {
	o := judge.Order{
		SecureBoot: true, Encryption: true, ByUnit: k.byUnit, Escrow: k.escrow, Project: "demo",
		Final: [8]uint32{
			0: 1<<7 | 1<<16 | 1<<8 | 1<<17 | 0x7F<<20 | 1<<3 | 1<<10 | 1<<12 | 1<<14 | 1<<15,
			5: 0xF << 28,
			6: 1<<4 | 1<<6 | 1<<2 | 7<<7,
		},
		Regions: []int64{0, 0x1000, 0x8000, 0xf000, 0x20000}, Volatile: 0xf000,
	}
	if k.closed {
		o.Final[0] |= uartDis
	}
	if k.byUnit {
		o.HeldBack = 0x1000
	}
	return o
}

// How a kill leaves a unit that encrypts itself.
const (
	stillPlain      = "plain"
	halfEncrypted   = "half encrypted"
	encryptedUntold = "encrypted and not told" // the station never came to say so
	encryptedKnown  = "encrypted"
)

// left is how a station that was killed has left the unit.
func (b *killBench) left(e ending) (how string) {
	b.t.Helper()
	product, err := killProduct()
	mustDo(b.t, err)
	bootloader, err := os.ReadFile(filepath.Join(product, "bootloader-encrypts.bin"))
	mustDo(b.t, err)
	const magic = 16
	b.look(func() {
		flash, err := b.unit.Chip.Flash(0x1000, magic)
		mustDo(b.t, err)
		blank := bytes.Equal(flash, bytes.Repeat([]byte{0xFF}, magic))
		switch on := b.unit.Chip.Fuses()[0][0]&(0x7F<<20) != 0; {
		case on && e.handedOver > 0 && e.back == 0:
			how = encryptedUntold
		case on:
			how = encryptedKnown
		case blank || bytes.Equal(flash, bootloader[:magic]):
			how = stillPlain
		default:
			how = halfEncrypted
		}
	})
	return how
}
