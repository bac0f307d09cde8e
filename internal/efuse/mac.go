package efuse

import (
	"encoding/binary"
	"fmt"
)

// MACCRC is the CRC that the chip maker puts beside a MAC: Dallas/Maxim CRC8
// (reflected polynomial 0x8C, initially 0) over its six bytes in printed order.
func MACCRC(mac [6]byte) byte {
	var crc byte
	for _, b := range mac {
		crc ^= b
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0x8C
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// MAC returns the factory MAC in printed order, the vendor's part first. A CRC that
// does not fit, a multicast address, all zeros and all ones are ErrMAC; the bytes
// are returned as read.
func (w Words) MAC() (mac [6]byte, err error) {
	binary.BigEndian.PutUint16(mac[:2], uint16(w[0][2]))
	binary.BigEndian.PutUint32(mac[2:], w[0][1])
	switch crc := byte(w.Field("MAC_CRC")); {
	case mac == [6]byte{} || mac == [6]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}:
		err = fmt.Errorf("MAC %x: no address: %w", mac, ErrMAC)
	case crc != MACCRC(mac):
		err = fmt.Errorf("MAC %x has CRC %02x, want %02x: %w", mac, crc, MACCRC(mac), ErrMAC)
	case mac[0]&1 == 1:
		err = fmt.Errorf("MAC %x is a multicast address: %w", mac, ErrMAC)
	}
	return mac, err
}

// chipID tells one chip from another: words 1 and 2 of BLOCK0, the factory MAC and
// its CRC. Two chips with damaged MACs still differ in it.
type chipID [2]uint32

// chip returns whose fuses w are.
func (w Words) chip() chipID { return chipID{w[0][1], w[0][2]} }
