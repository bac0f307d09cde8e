// Package esptool talks to the mask ROM of a classic ESP32 over a serial line:
// it opens ports, moves the reset lines, frames packets with SLIP, and offers
// registers and flash as calls. Lost, late and garbled bytes are normal on a
// line; every call here either survives them within bounds or says so.
//
// It does not know what an eFuse bit means, what is in an image, where keys come
// from, or why a register is written. It never decides to repeat a register
// write: the caller may be burning a fuse.
//
// Only the ROM is assumed; no stub is loaded. Opcode 0x14 (GET_SECURITY_INFO) is
// never sent, this ROM answers it with an error and may want a new reset.
//
// Sources: Espressif "ESP32 Serial Protocol" and "Boot Mode Selection"; ESP32
// TRM, chapters "UART", "eFuse Controller" and "SPI"; a transcript of the
// revision 3 mask ROM (testdata/rom-transcript.json).
package esptool
