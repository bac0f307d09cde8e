package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
)

// magic opens a payload and names its version.
const magic = "provision unit keys 1\n"

// errShape is inside ErrDamaged: who made the seal made it wrong.
var errShape = errors.New("not the keys of a unit")

// encode returns the payload that is sealed, numbers big-endian:
//
//	magic | unit id, 8 bytes | MAC, 6 bytes | count, 1 byte |
//	count times: length, 1 byte | purpose | length, 2 bytes | key
func (u UnitKeys) encode() (Secret, error) {
	mac, err := net.ParseMAC(u.MAC)
	if err != nil || len(mac) != 6 {
		return Secret{}, fmt.Errorf("%q is not a MAC address of six bytes", u.MAC)
	}
	size := len(magic) + 8 + 6 + 1
	for _, k := range u.Keys {
		if len(k.Purpose) == 0 || len(k.Purpose) > 255 || k.Key.Len() > 65535 {
			return Secret{}, fmt.Errorf("key for %q does not fit", k.Purpose)
		}
		size += 1 + len(k.Purpose) + 2 + k.Key.Len()
	}
	if len(u.Keys) > 255 {
		return Secret{}, fmt.Errorf("%d keys do not fit", len(u.Keys))
	}
	b := make([]byte, 0, size) // at once: growing would leave copies behind
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(u.UnitID))
	b = append(b, mac...)
	b = append(b, byte(len(u.Keys)))
	for _, k := range u.Keys {
		b = append(b, byte(len(k.Purpose)))
		b = append(b, k.Purpose...)
		b = binary.BigEndian.AppendUint16(b, uint16(k.Key.Len()))
		b = append(b, k.Key.Reveal()...)
	}
	return NewSecret(b), nil
}

// decode reads what encode wrote. The keys are copies; the payload can be wiped.
func decode(payload Secret) (UnitKeys, error) {
	r := reader{rest: payload.Reveal()}
	var u UnitKeys
	if string(r.next(len(magic))) != magic {
		return u, fmt.Errorf("%w: %w", ErrDamaged, errShape)
	}
	u.UnitID = int64(r.number(8))
	u.MAC = net.HardwareAddr(append([]byte(nil), r.next(6)...)).String()
	for range r.number(1) {
		purpose := string(r.next(int(r.number(1))))
		key := append([]byte(nil), r.next(int(r.number(2)))...)
		u.Keys = append(u.Keys, Named{purpose, NewSecret(key)})
	}
	if r.short || len(r.rest) != 0 || u.check() != nil {
		u.Wipe()
		return UnitKeys{}, fmt.Errorf("%w: %w", ErrDamaged, errShape)
	}
	return u, nil
}

// reader takes pieces off a payload; past the end it returns zeros and says so.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) next(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return make([]byte, n)
	}
	piece := r.rest[:n]
	r.rest = r.rest[n:]
	return piece
}

func (r *reader) number(bytes int) uint64 {
	var v uint64
	for _, b := range r.next(bytes) {
		v = v<<8 | uint64(b)
	}
	return v
}
