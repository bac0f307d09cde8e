package simulator

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"regexp"
	"strconv"
	"sync"

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

// seen are the features of bootloaders by the SHA-256 of their image: a unit starts the
// same one again and again, and to search it for a key takes longer than all the rest.
var seen struct {
	sync.Mutex
	features map[[sha256.Size]byte]features
}

// maxSeen is how many are kept: a station knows a few, a fuzzer any number.
const maxSeen = 64

// featuresOf is findFeatures, once for each image.
func featuresOf(bin []byte) features {
	sum := sha256.Sum256(bin)
	seen.Lock()
	f, ok := seen.features[sum]
	seen.Unlock()
	if ok {
		return f
	}
	f = findFeatures(bin)
	seen.Lock()
	defer seen.Unlock()
	if seen.features == nil || len(seen.features) >= maxSeen {
		seen.features = map[[sha256.Size]byte]features{}
	}
	seen.features[sum] = f
	return f
}

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
