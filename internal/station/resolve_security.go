package station

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

func (r *resolver) secureBoot(d *document) SecureBoot {
	written := d.SecureBoot
	s := SecureBoot{
		Version:            int(or(written.Version, 0)),
		AllowUnverifiedApp: written.AllowUnverifiedApp,
		Mode: oneOf(r, "secure_boot.mode", written.Mode, "reflashable", []string{"reflashable"}, map[string]string{
			"one-time": "the chip would make a key that nobody can check; write \"reflashable\", with keys.custody = \"discard\" for the same effect",
		}),
	}
	if written.PublicKey != "" {
		s.PublicKey = r.absolute("secure_boot.public_key", written.PublicKey)
	}
	switch {
	case written.Version == nil:
		r.add(ErrMissing, "secure_boot.version", "write 1 for Secure Boot V1, or 0 for units without secure boot: the choice is permanent, so it has no default")
	case *written.Version == 2:
		r.add(ErrUnsupported, "secure_boot.version", "Secure Boot V2 is not supported by this version; write 1, or 0 for none")
	case *written.Version < 0 || *written.Version > 2:
		r.add(ErrValue, "secure_boot.version", "%d is not known; write 1, or 0 for none", *written.Version)
	case s.Version == 1 && s.PublicKey == "" && !s.AllowUnverifiedApp:
		r.add(ErrMissing, "secure_boot.public_key", "name the file with the public half of the app-signing key: the app and the bootloader are checked against it")
	}
	return s
}

// allTweaks is the only FLASH_CRYPT_CONFIG that ties each ciphertext block to
// its place in flash (ESP-IDF, Flash Encryption, "FLASH_CRYPT_CONFIG").
const allTweaks = 0xF

func (r *resolver) flashEncryption(d *document) FlashEncryption {
	written := d.FlashEncryption
	if written.Mode == nil {
		r.add(ErrMissing, "flash_encryption.mode", `write "host" or "device", or "off" for units without flash encryption: the choice is permanent, so it has no default`)
	}
	mode := oneOf(r, "flash_encryption.mode", written.Mode, "off", []string{"host", "device", "off"}, nil)
	if config := or(written.CryptConfig, allTweaks); config != allTweaks {
		r.add(ErrUnsupported, "flash_encryption.crypt_config", "%d is not supported; only 15 (0xF), the default, ties every block to its place in flash", config)
	}
	return FlashEncryption{
		Enabled:     mode != "off",
		OnDevice:    mode == "device",
		CryptConfig: allTweaks,
		Policy:      oneOf(r, "flash_encryption.policy", written.Policy, Release, []Policy{Release, Development}, nil),
	}
}

// ageRecipient is the form of an age recipient: age1, perhaps the name of a
// plugin, and Bech32 text. Whoever seals checks the rest.
var ageRecipient = regexp.MustCompile(`^age1[0-9a-z+._-]{20,}$`)

// custody checks [keys].
func (r *resolver) custody(d *document, records Records) Keys {
	k := Keys{
		Custody:    oneOf(r, "keys.custody", d.Keys.Custody, Discard, []Custody{Discard, Escrow}, nil),
		Recipients: d.Keys.Recipients,
		Identity:   identityBeside(records.Database),
	}
	if d.Keys.Identity != "" {
		k.Identity = r.absolute("keys.identity", d.Keys.Identity)
	}
	for i, recipient := range k.Recipients {
		at := element("keys.recipients", i)
		if !ageRecipient.MatchString(recipient) {
			r.add(ErrValue, at, "is not an age recipient; write the public text that begins with age1")
		}
		if slices.Contains(k.Recipients[:i], recipient) {
			r.add(ErrConflict, at, "stands in the list twice")
		}
	}
	if k.Custody == Escrow && len(k.Recipients) == 0 {
		r.add(ErrMissing, "keys.recipients", `custody = "escrow" keeps a copy for its owner: write the owner's age recipient`)
	}
	return k
}

const (
	defaultBootSeconds = 10
	maxBootSeconds     = 300
)

func (r *resolver) bootCheck(d *document) *BootCheck {
	if d.BootCheck == nil {
		return nil
	}
	b := &BootCheck{Timeout: r.bootTimeout(or(d.BootCheck.Seconds, defaultBootSeconds))}
	if d.BootCheck.Expect == "" {
		r.add(ErrMissing, "boot_check.expect", "write a piece of the line that a good unit prints, or take the section out")
	}
	b.Expect = r.linePattern("boot_check.expect", d.BootCheck.Expect)
	for i, text := range d.BootCheck.Reject {
		at := element("boot_check.reject", i)
		if strings.TrimSpace(text) == "" {
			r.add(ErrValue, at, "is empty and would reject every line")
			continue
		}
		reject := r.linePattern(at, text)
		if !b.Expect.isRegexp() && reject.Match(d.BootCheck.Expect) {
			r.add(ErrConflict, at, "rejects the very line that boot_check.expect waits for")
		}
		b.Reject = append(b.Reject, reject)
	}
	return b
}

func (r *resolver) bootTimeout(seconds int64) time.Duration {
	if seconds < 1 || seconds > maxBootSeconds {
		r.add(ErrValue, "boot_check.seconds", "%d is not allowed; write 1 to %d", seconds, maxBootSeconds)
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func (r *resolver) linePattern(key, text string) LinePattern {
	p, err := parseLinePattern(text)
	if err != nil {
		r.add(ErrValue, key, "%s is not a pattern: %s", clip(text), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return p
}
