package esptool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// opcode is a command of the ESP32 ROM loader. Source: Espressif "ESP32 Serial
// Protocol", "Commands".
type opcode byte

const (
	opFlashBegin     opcode = 0x02
	opFlashData      opcode = 0x03
	opSync           opcode = 0x08
	opWriteReg       opcode = 0x09
	opReadReg        opcode = 0x0A
	opSPISetParams   opcode = 0x0B
	opSPIAttach      opcode = 0x0D
	opReadFlashSlow  opcode = 0x0E
	opChangeBaudrate opcode = 0x0F
	opSPIFlashMD5    opcode = 0x13
)

var opcodeNames = map[opcode]string{
	opFlashBegin:     "FLASH_BEGIN",
	opFlashData:      "FLASH_DATA",
	opSync:           "SYNC",
	opWriteReg:       "WRITE_REG",
	opReadReg:        "READ_REG",
	opSPISetParams:   "SPI_SET_PARAMS",
	opSPIAttach:      "SPI_ATTACH",
	opReadFlashSlow:  "READ_FLASH_SLOW",
	opChangeBaudrate: "CHANGE_BAUDRATE",
	opSPIFlashMD5:    "SPI_FLASH_MD5",
}

// String returns Espressif's name of the command, or its number.
func (op opcode) String() string {
	if name, ok := opcodeNames[op]; ok {
		return name
	}
	return fmt.Sprintf("command %#02x", byte(op))
}

const (
	directionRequest = 0x00
	directionReply   = 0x01
	headerSize       = 8 // direction, opcode, body length u16, checksum or value u32
	romStatusSize    = 4 // status, error code, two left-over bytes
)

// request is one command with what is known about its answer.
type request struct {
	op       opcode
	body     []byte
	checksum uint32        // of the data to write; FLASH_DATA only, else 0
	result   int           // bytes of result before the status in the reply body
	soft     time.Duration // after this silence, ask the chip whether it is idle
	hard     time.Duration // after this silence, give up
}

// appendPayload appends the unescaped packet: header and body, little-endian.
func (r request) appendPayload(dst []byte) []byte {
	dst = append(dst, directionRequest, byte(r.op))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(r.body)))
	dst = binary.LittleEndian.AppendUint32(dst, r.checksum)
	return append(dst, r.body...)
}

// reply is one frame from the ROM. body aliases the frame it was parsed from.
type reply struct {
	op    opcode
	value uint32 // READ_REG: the register; SYNC: a marker; else a left-over
	body  []byte
}

var errMalformed = errors.New("malformed reply")

// parseReply reads the header of a SLIP payload. The length field must agree with
// the body: it is all a reply has for a checksum. Errors wrap errMalformed.
func parseReply(frame []byte) (reply, error) {
	switch {
	case len(frame) < headerSize:
		return reply{}, fmt.Errorf("%w: %d bytes, a header has %d", errMalformed, len(frame), headerSize)
	case frame[0] != directionReply:
		return reply{}, fmt.Errorf("%w: direction %#02x", errMalformed, frame[0])
	}
	if n := int(binary.LittleEndian.Uint16(frame[2:])); n != len(frame)-headerSize {
		return reply{}, fmt.Errorf("%w: header says %d bytes, body has %d", errMalformed, n, len(frame)-headerSize)
	}
	return reply{
		op:    opcode(frame[1]),
		value: binary.LittleEndian.Uint32(frame[4:]),
		body:  frame[headerSize:],
	}, nil
}

// split separates the result of n bytes from the status right behind it. The ROM
// answers a failed command with the status alone. Errors are *ROMError when the
// chip refused, and wrap errMalformed when the body has another shape.
func (r reply) split(n int) ([]byte, error) {
	status := r.body
	if len(r.body) == n+romStatusSize {
		status = r.body[n:]
	} else if len(r.body) != romStatusSize {
		return nil, fmt.Errorf("%w: %v body of %d bytes, want %d", errMalformed, r.op, len(r.body), n+romStatusSize)
	}
	if status[0] != 0 {
		return nil, &ROMError{Op: byte(r.op), Code: status[1]}
	}
	if len(r.body) != n+romStatusSize {
		return nil, fmt.Errorf("%w: %v says ok and has no result", errMalformed, r.op)
	}
	return r.body[:n], nil
}

// ROMError is a command that reached the ROM and was refused by it.
type ROMError struct {
	Op   byte // opcode of the command
	Code byte // error code of the ROM
}

// romErrors are the error codes of the ESP32 ROM. Sources: Espressif "ESP32 Serial
// Protocol", "Status Bytes"; 0x07, 0x08 and 0x0B also in the ROM transcript.
var romErrors = map[byte]string{
	0x01: "bad parameter",
	0x02: "no memory",
	0x03: "send failed",
	0x04: "receive failed",
	0x05: "bad message or out of sequence",
	0x06: "command ran but the result is wrong",
	0x07: "checksum of the data is wrong",
	0x08: "flash does not read back as written",
	0x09: "flash cannot be read",
	0x0A: "flash read length is wrong",
	0x0B: "compressed data cannot be inflated",
	0x0C: "adler32 of the data is wrong",
	0x0D: "deflate parameter",
	0x0E: "invalid RAM size",
	0x0F: "invalid RAM address",
	0x64: "invalid parameter",
	0x65: "invalid format",
	0x66: "description too long",
	0x67: "bad encoding",
	0x69: "insufficient storage",
}

// Error implements error.
func (e *ROMError) Error() string {
	says, ok := romErrors[e.Code]
	if !ok {
		says = "no known meaning"
	}
	return fmt.Sprintf("chip refused %v: error %#02x, %s", opcode(e.Op), e.Code, says)
}

// checksumSeed starts the checksum. Source: Espressif "ESP32 Serial Protocol".
const checksumSeed = 0xEF

// checksum is the 8-bit XOR over the data to write, the ROM's only guard on it.
// The 16-byte header inside a FLASH_DATA body is not covered.
func checksum(data []byte) uint32 {
	sum := byte(checksumSeed)
	for _, b := range data {
		sum ^= b
	}
	return uint32(sum)
}

// words returns the values as little-endian 32-bit words, the form of most bodies.
func words(values ...uint32) []byte {
	body := make([]byte, 0, 4*len(values))
	for _, v := range values {
		body = binary.LittleEndian.AppendUint32(body, v)
	}
	return body
}

// syncBody is the 36-byte body of SYNC: a marker and a pattern the ROM measures
// the baud rate with.
var syncBody = func() []byte {
	body := []byte{0x07, 0x07, 0x12, 0x20}
	for range 32 {
		body = append(body, 0x55)
	}
	return body
}()

// syncReplies is how many replies the ROM sends to one SYNC.
const syncReplies = 8
