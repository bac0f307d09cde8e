package simulator

import (
	"crypto/md5"
	"encoding/hex"
)

// flashBegin erases the sectors of the range and opens a download. Body: bytes to
// erase, number of blocks, block size, offset, which must be that of a sector.
func (l *loader) flashBegin(r request) byte {
	size, block, offset := r.word(0), r.word(2), r.word(3)
	if errNo := l.prepare(block, offset, size); errNo != romOK {
		return errNo
	}
	l.open(download{kind: opFlashBegin, at: offset, block: block, size: size})
	return romOK
}

// prepare checks and erases what a download to flash needs.
func (l *loader) prepare(block, offset, size uint32) byte {
	end := uint64(offset) + uint64(size)
	switch {
	case block > romMaxBlock:
		return romBadMessage
	case !l.chip.spi.attached, offset%norSector != 0, end > uint64(l.flashSize):
		return romFailed
	}
	for at := uint64(offset); at < end; at += norSector {
		if l.chip.eraseSector(uint32(at)) {
			return romFailed // the power went: nobody will read this
		}
	}
	return romOK
}

// flashData programs one block. Blocks come in order, each at most as long as
// announced and a multiple of 4; more than announced are written too. A block with a
// bad checksum, or one that does not read back right, uses up its sequence number
// but no flash.
func (l *loader) flashData(r request) byte {
	d := &l.down
	if d.kind != opFlashBegin || r.word(0) > d.block || r.word(0)%4 != 0 {
		return romBadMessage
	}
	data, errNo := l.nextBlock(r)
	if errNo != romOK {
		return errNo
	}
	if errNo = l.programBack(d.at, data); errNo != romOK {
		return errNo
	}
	d.at += uint32(len(data))
	d.done += uint32(len(data))
	return romOK
}

// programBack writes to the flash, reads it back, and compares the checksum: damage
// that leaves the XOR of all bytes as it was goes unnoticed, as in the real ROM.
func (l *loader) programBack(at uint32, data []byte) byte {
	if l.chip.programFlash(at, data) || romChecksum(l.chip.nor.read(at, len(data))) != romChecksum(data) {
		return romVerifyFailed
	}
	return romOK
}

// flashEnd closes a download; unless all that was announced has come, with an error.
// Asked to reboot (flag 0) the chip restarts with the straps it has; asked not to, it
// looks for something to run and ends at the BASIC prompt.
func (l *loader) flashEnd(r request) {
	d := &l.down
	if d.kind == opFlashBegin && d.done >= d.size {
		l.keepError(r.op, romOK)
	} else {
		l.keepError(r.op, romFailed)
	}
	l.open(download{})
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
		l.errNo = romReadFailed
		l.answer(opFlashMD5, nil, 2*md5.Size, 1)
		return
	}
	sum := md5.Sum(l.chip.readFlash(at, int(size)))
	l.errNo = romOK
	l.answer(opFlashMD5, []byte(hex.EncodeToString(sum[:])), 2*md5.Size, 0)
}

// readFlash reads up to 64 bytes of raw flash, in whole words. The answer always has
// 64; what was not read is whatever the buffer held.
func (l *loader) readFlash(r request) {
	at, size := r.word(0), r.word(1)
	l.errNo = romOK
	switch {
	case size > romReadBlock:
		l.errNo = romReadLength
	case !l.readable(at, size):
		l.errNo = romReadFailed
	}
	if l.errNo != romOK {
		l.answer(opReadFlash, nil, romReadBlock, 1)
		return
	}
	l.answer(opReadFlash, l.chip.readFlash(at, int(size+3)&^3), romReadBlock, 0)
}

func (l *loader) readable(at, size uint32) bool {
	return l.chip.spi.attached && uint64(at)+uint64(size) <= uint64(l.flashSize)
}
