package simulator

import (
	"provision/internal/flashcrypt"
	"provision/internal/image"
)

// otaChunk is how much the app has in hand at a time. It changes nothing in flash:
// what does not fill a block waits for the next chunk.
const otaChunk = 1024

// write is esp_ota_write, chunk by chunk, and the last block that esp_ota_end writes.
func (u *update) write(slot image.Partition) (err string) {
	if len(u.img) == 0 {
		return errInvalidArg // esp_ota_end without a byte written
	}
	if u.img[0] != image.Magic {
		u.fail(tagOTA, "OTA image has invalid magic byte (expected 0xE9, saw 0x%02x)", u.img[0])
		u.fail(tagHTTPS, "Error: esp_ota_write failed! err=%#x", espErrors[errValidate])
		return errValidate
	}
	w := slotWriter{boot: u.boot, slot: slot}
	for rest := u.img; len(rest) > 0; {
		n := min(otaChunk, len(rest))
		if err := w.write(rest[:n]); err != "" {
			if err == errInvalidSize {
				u.fail(tagHTTPS, "Error: esp_ota_write failed! err=%#x", espErrors[errInvalidSize])
			}
			return err
		}
		rest = rest[n:]
	}
	if w.wrote == 0 {
		return errInvalidArg // what waits for a whole block does not count
	}
	return w.flush()
}

// slotWriter writes to a slot in order. With flash encryption on it writes whole
// blocks of 16 bytes and keeps what is over.
type slotWriter struct {
	*boot
	slot  image.Partition
	wrote uint32
	block [flashcrypt.BlockSize]byte
	held  int // bytes of block that wait
}

func (w *slotWriter) write(p []byte) (err string) {
	if w.flash.cipher == nil {
		return w.put(p)
	}
	if w.held > 0 {
		n := copy(w.block[w.held:], p)
		w.held += n
		if w.held < len(w.block) {
			return ""
		}
		if err := w.put(w.block[:]); err != "" {
			return err
		}
		w.held, p = 0, p[n:]
		for i := range w.block {
			w.block[i] = 0xFF
		}
	}
	whole := len(p) / len(w.block) * len(w.block)
	w.held = copy(w.block[:], p[whole:])
	return w.put(p[:whole])
}

// flush writes the last block, filled up with what the buffer happens to hold.
func (w *slotWriter) flush() (err string) {
	if w.held == 0 {
		return ""
	}
	return w.put(w.block[:])
}

// put is esp_partition_write.
func (w *slotWriter) put(p []byte) (err string) {
	if uint64(w.wrote)+uint64(len(p)) > uint64(w.slot.Size) {
		return errInvalidSize
	}
	if len(p) > 0 && !w.writeFlash(w.slot.Offset+w.wrote, p, w.flash.cipher) {
		return errChipStopped
	}
	w.wrote += uint32(len(p))
	return ""
}
