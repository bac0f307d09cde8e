package simulator

import (
	"crypto/md5"
	"encoding/hex"
)

// flashDownload is what FLASH_BEGIN opened.
type flashDownload struct {
	open bool
	next uint32 // sequence number expected
	at   uint32 // flash address of the next block
	room uint32 // bytes the announced blocks still hold
}

// flashBegin erases the sectors of the range and opens a download. Body: bytes to
// erase, number of blocks, block size, offset.
func (l *loader) flashBegin(r request) byte {
	size, blocks, block, offset := r.word(0), r.word(1), r.word(2), r.word(3)
	if errNo := l.eraseRange(offset, size); errNo != romOK {
		return errNo
	}
	l.flash = flashDownload{open: true, at: offset, room: blocks * block}
	l.deflate.close()
	return romOK
}

// eraseRange erases every sector that [offset, offset+size) touches.
func (l *loader) eraseRange(offset, size uint32) byte {
	end := uint64(offset) + uint64(size)
	if !l.chip.spi.attached || end > uint64(l.flashSize) {
		return romFailed
	}
	for at := uint64(offset) / norSector * norSector; at < end; at += norSector {
		if l.chip.eraseSector(uint32(at)) {
			return romFailed // the power went: nobody will read this
		}
	}
	return romOK
}

// flashData programs one block and reads it back. Blocks come in order; one beyond
// the announced number is taken and not written. A bad checksum or a bad read-back
// ends the download, a block out of order does not.
func (l *loader) flashData(r request) byte {
	d := &l.flash
	data, errNo := l.checkData(r, d.open, d.next)
	if errNo == romOK {
		data = data[:min(uint32(len(data)), d.room)]
		errNo = l.programBack(d.at, data)
	} else if errNo == romBadMessage {
		return errNo
	}
	if errNo != romOK {
		d.open = false
		return errNo
	}
	d.next++
	d.at += uint32(len(data))
	d.room -= uint32(len(data))
	return romOK
}

// checkData holds the order and the checksum of a *_DATA command against what is
// expected.
func (l *loader) checkData(r request, open bool, next uint32) (data []byte, errNo byte) {
	if !open || r.word(1) != next {
		return nil, romBadMessage
	}
	data, ok := r.payload()
	if !ok || romChecksum(data) != r.checksum {
		return nil, romBadChecksum
	}
	return data, romOK
}

// programBack writes to the flash and compares.
func (l *loader) programBack(at uint32, data []byte) byte {
	if l.chip.programFlash(at, data) || !l.chip.nor.holds(at, data) {
		return romVerifyFailed
	}
	return romOK
}

// flashEnd closes a download. Asked to reboot (flag 0) the chip restarts without
// looking at its straps again; asked not to, it refuses with 06 and leaves the
// loader for the BASIC prompt.
func (l *loader) flashEnd(r request) {
	l.done(r.op, romFailed, nil)
	if r.word(0) == 0 {
		l.chip.restart(resetSoftware)
		return
	}
	l.chip.enterBasic()
}

// flashMD5 hashes the raw flash, in lower-case hex. Body: address, size, two zeros.
func (l *loader) flashMD5(r request) {
	at, size := r.word(0), r.word(1)
	if !l.readable(at, size) {
		l.done(opFlashMD5, romReadFailed, nil)
		return
	}
	sum := md5.Sum(l.chip.readFlash(at, int(size)))
	l.done(opFlashMD5, romOK, []byte(hex.EncodeToString(sum[:])))
}

// readFlash answers 64 bytes of raw flash, however few were asked for.
func (l *loader) readFlash(r request) {
	at, size := r.word(0), r.word(1)
	switch {
	case size > romReadBlock:
		l.done(opReadFlash, romReadLength, nil)
	case !l.readable(at, size):
		l.done(opReadFlash, romReadFailed, nil)
	default:
		l.done(opReadFlash, romOK, l.chip.readFlash(at, romReadBlock))
	}
}

func (l *loader) readable(at, size uint32) bool {
	return l.chip.spi.attached && uint64(at)+uint64(size) <= uint64(l.flashSize)
}
