package esptool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// blockSize is the data in one FLASH_DATA to the ROM, in bytes.
const blockSize = 0x400

// flashBegin erases size bytes from offset, whole sectors, before it is answered, and
// expects the blocks to fill them.
func flashBegin(offset uint32, size int) request {
	blocks := (size + blockSize - 1) / blockSize
	return request{
		op:   opFlashBegin,
		body: words(uint32(size), uint32(blocks), blockSize, offset),
		soft: perMB(flashSoft, eraseSoftPerMB, size), hard: perMB(eraseHard, erasePerMB, size),
	}
}

// flashData programs block number seq since the last FLASH_BEGIN; a short block is
// padded with FF, which leaves flash as it is.
func flashData(seq int, data []byte) request {
	block := append(make([]byte, 0, blockSize), data...)
	block = append(block, bytes.Repeat([]byte{0xFF}, blockSize-len(block))...)
	return request{
		op:       opFlashData,
		body:     append(words(blockSize, uint32(seq), 0, 0), block...),
		checksum: checksum(block),
		soft:     registerSoft, hard: eraseHard, // a page takes a few milliseconds
	}
}

// WriteFlash erases and writes data at offset, a multiple of SectorSize (else
// ErrAlign). The last sector is erased whole: what was behind data in it is lost.
// data goes out as it is; nothing in it is patched.
//
// A block that fails costs a new FLASH_BEGIN at the start of its sector and the
// blocks from there, never the completion of a half-written sector, and is tried
// four times in all. When the chip stops answering and the lines allow it, it is
// reset once for such a block. progress, if not nil, is told of bytes written; done
// never goes back. The content is not verified: use FlashMD5.
func (d *Device) WriteFlash(ctx context.Context, offset uint32, data []byte, progress func(done, total int)) error {
	if offset%SectorSize != 0 {
		return fmt.Errorf("write flash at %#x: %w", offset, ErrAlign)
	}
	if err := d.checkRegion(offset, len(data)); err != nil {
		return fmt.Errorf("write flash: %w", err)
	}
	w := flashWriter{d: d, offset: offset, data: data, progress: progress}
	for from := 0; from < len(data); {
		to := min(len(data), from+eraseUnit-int(offset+uint32(from))%eraseUnit)
		if err := w.chunk(ctx, from, to); err != nil {
			return fmt.Errorf("write flash: %w", err)
		}
		from = to
	}
	return nil
}

// flashWriter is one WriteFlash under way. Positions are indexes into data.
type flashWriter struct {
	d        *Device
	offset   uint32
	data     []byte
	progress func(done, total int)

	reported int // the furthest position reported

	sector   int                         // position of the sector that failed last
	failures [SectorSize / blockSize]int // of each of its blocks
	revived  bool                        // the chip has been reset for it
}

// chunk writes data[from:to], which one FLASH_BEGIN can erase. from is at the start
// of a sector.
func (w *flashWriter) chunk(ctx context.Context, from, to int) error {
	start := from // of the last FLASH_BEGIN
	begun := false
	for pos := from; pos < to; {
		err := w.step(ctx, begun, start, pos, to)
		switch {
		case err != nil:
			if err := w.retry(ctx, pos, err); err != nil {
				return err
			}
			pos -= pos % SectorSize // offset is at a sector boundary, so this is one
			start, begun = pos, false
		case !begun:
			begun = true
		default:
			pos = min(pos+blockSize, to)
			w.report(pos)
		}
	}
	return nil
}

// step sends the next command of a chunk: FLASH_BEGIN for start..to, or the block at
// pos.
func (w *flashWriter) step(ctx context.Context, begun bool, start, pos, to int) error {
	req := flashBegin(w.offset+uint32(start), to-start)
	if begun {
		req = flashData((pos-start)/blockSize, w.data[pos:min(pos+blockSize, to)])
	}
	_, _, err := w.d.command(ctx, req)
	return err
}

// retry decides what a failure at pos costs: nil means start again at its sector.
func (w *flashWriter) retry(ctx context.Context, pos int, err error) error {
	if sector := pos - pos%SectorSize; sector != w.sector {
		w.sector, w.failures, w.revived = sector, [len(w.failures)]int{}, false
	}
	block := pos % SectorSize / blockSize
	w.failures[block]++
	at := w.offset + uint32(pos)
	switch lost := errors.Is(err, ErrLinkLost); {
	case ctx.Err() != nil:
		return fmt.Errorf("at %#x: %w", at, err)
	case w.failures[block] == maxTries:
		return fmt.Errorf("at %#x, tried %d times: %w", at, maxTries, err)
	case lost && !w.revived && w.d.CanReset():
		w.revived = true
		if rerr := w.d.Reconnect(ctx); rerr != nil {
			return fmt.Errorf("at %#x: %w", at, errors.Join(err, rerr))
		}
	case lost, !errors.Is(err, ErrNoReply) && !isROMError(err):
		return fmt.Errorf("at %#x: %w", at, err)
	}
	w.d.stats.Resends++
	return nil
}

// report tells of progress that is new.
func (w *flashWriter) report(pos int) {
	if pos > w.reported {
		w.reported = pos
		if w.progress != nil {
			w.progress(pos, len(w.data))
		}
	}
}
