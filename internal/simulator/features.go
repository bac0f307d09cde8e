package simulator

import (
	"bytes"
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
	rollback          bool                    // an app has one boot to prove itself; a real binary does not tell
	antiRollback      bool                    // and none starts below SECURE_VERSION
}

// rollbackMark is in those of them that were asked to roll back.
const rollbackMark = "provision-virtual-bootloader rollback"

// tableMark is in the bootloaders that BuildBootloader makes.
const tableMark = "provision-virtual-bootloader table-offset="

var tableText = regexp.MustCompile(tableMark + `(0x[0-9a-f]+)`)

// findFeatures reads them out of a bootloader image.
func findFeatures(bin []byte) features {
	f := features{BootloaderFeatures: image.FindBootloaderFeatures(bin)}
	f.IDFVersion = cmp.Or(f.IDFVersion, "(unknown version)")
	f.refusesBlankTable = f.Since(5, 5)
	f.antiRollback = bytes.Contains(bin, []byte(saysAntiRollback))
	f.rollback = f.antiRollback || bytes.Contains(bin, []byte(rollbackMark))
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
