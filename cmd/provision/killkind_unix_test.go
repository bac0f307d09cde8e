//go:build unix

package main

import (
	"fmt"
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
	escrow bool // the owner keeps the keys
	closed bool // download mode is closed at the end
}

var killKinds = []killKind{
	{name: "served", served: true},
	{name: "sim", escrow: true},
	{name: "sim, closed", closed: true},
}

// killSerial is the first number of the station's sequence. A second one would be
// one too many.
const killSerial = "AB-000001"

func (k killKind) profile(product, owner string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[station]\nname = \"KILLED\"\narmed = true")
	if k.served {
		line("[link]\nreset = \"none\"")
	}
	line("[unit]\nflash_size = \"4MB\"")
	line(`serial = { pattern = "^AB-[0-9]{6}$", source = "sequence", prefix = "AB-", next = "000001" }`)
	if k.closed {
		line("min_revision = \"v3.0\"")
	}
	line("[images]")
	line("bootloader = %q", filepath.Join(product, "bootloader.bin"))
	line("partition_table = %q", filepath.Join(product, "partition-table.bin"))
	line("app = %q", filepath.Join(product, "app-signed.bin"))
	line("[secure_boot]\nversion = 1\npublic_key = %q", filepath.Join(product, "app-public.pem"))
	line("[flash_encryption]\nmode = \"host\"\npolicy = \"release\"")
	if k.closed {
		line("[lock]\nUART_DOWNLOAD_DIS = true")
	}
	if k.escrow {
		line("[keys]\ncustody = \"escrow\"\nrecipients = [%q]", owner)
	}
	if !k.served {
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
		SecureBoot: true, Encryption: true, Escrow: k.escrow, Project: "demo",
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
	return o
}
