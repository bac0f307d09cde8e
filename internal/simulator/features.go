package simulator

import (
	"cmp"
	"regexp"
	"strconv"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// features are what a bootloader was built to do, and what a virtual one says of
// itself besides.
type features struct {
	image.BootloaderFeatures
	tableOffset       int                     // 0: the binary does not tell
	appKey            *secureboot.PublicKeyV1 // that apps are checked with; nil: none, or none is found
	refusesBlankTable bool                    // since ESP-IDF 5.5
}

// tableMark is in the bootloaders that BuildBootloader makes.
const tableMark = "provision-virtual-bootloader table-offset="

var tableText = regexp.MustCompile(tableMark + `(0x[0-9a-f]+)`)

// findFeatures reads them out of a bootloader image.
func findFeatures(bin []byte) features {
	f := features{BootloaderFeatures: image.FindBootloaderFeatures(bin)}
	f.IDFVersion = cmp.Or(f.IDFVersion, "(unknown version)")
	f.refusesBlankTable = f.Since(5, 5)
	if m := tableText.FindSubmatch(bin); m != nil {
		offset, _ := strconv.ParseUint(string(m[1]), 0, 24)
		f.tableOffset = int(offset)
	}
	if f.ChecksApps {
		if keys := secureboot.FindPublicKeys(bin); len(keys) > 0 {
			f.appKey = &keys[0].Key
		}
	}
	return f
}
