package people

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// badgeDomain keeps a badge's digest from being the digest of anything else.
const badgeDomain = "provision badge v1\x00"

// BadgeDigest returns what is kept of a badge code: 64 hex digits of SHA-256 over a
// fixed text and the code without spaces round it. It keeps codes out of sight in
// files and exports, no more: codes are short and can be tried out, and a badge is
// easily copied. A badge identifies a person; it proves nothing. The PIN does.
func BadgeDigest(code string) string {
	sum := sha256.Sum256([]byte(badgeDomain + strings.TrimSpace(code)))
	return hex.EncodeToString(sum[:])
}
