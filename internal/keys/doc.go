// Package keys makes, seals, holds and wipes key material: a unit's own keys and
// the station's identity that opens their working copy. It knows age files,
// custody, and how a key is named without being told.
//
// It does not know fuses, chips, profiles, or where sealed keys are stored, and
// never writes a unit's key anywhere itself: Seal returns bytes that only the
// recipients can read. Secret keeps key bytes out of logs, JSON and errors;
// Reveal is the one way to them.
//
// Wiping is the best Go offers: the bytes of a Secret are overwritten, while
// copies that age or the runtime made on the way may live until the memory is
// used again.
//
// Formats: age-encryption.org/v1 with X25519 recipients.
package keys
