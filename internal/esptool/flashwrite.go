package esptool

import (
	"bytes"
	"context"
	"crypto/md5"
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
// reset, once for a sector. progress, if not nil, is told of bytes written; done
// never goes back.
//
// The checksum of a block has 8 bits, so damage slips through now and then. On a
// line that has shown trouble each piece is compared by MD5 before the next one and
// written again if it differs; an error then wraps ErrContent. On a good line
// nothing is compared: FlashMD5 is the caller's to ask for.
func (d *Device) WriteFlash(ctx context.Context, offset uint32, data []byte, progress func(done, total int)) error {
	return d.WriteFlashWhile(ctx, offset, data, progress, func(context.Context, bool) error { return nil })
}

// WriteFlashWhile is WriteFlash that asks may whether to go on: before each further
// piece, which is 64 KiB at most, and with again before anything is written once more
// after a failure, when the chip may have been in other hands. may may use the chip. An
// error that it returns ends the write, unless it is of the line: then it costs a try.
func (d *Device) WriteFlashWhile(
	ctx context.Context, offset uint32, data []byte, progress func(done, total int), may func(ctx context.Context, again bool) error,
) error {
	if offset%SectorSize != 0 {
		return fmt.Errorf("write flash at %#x: %w", offset, ErrAlign)
	}
	if err := d.checkRegion(offset, len(data)); err != nil {
		return fmt.Errorf("write flash: %w", err)
	}
	w := flashWriter{
		d: d, offset: offset, data: data, progress: progress, may: may,
		troubled: d.stats.Resends+d.stats.Resyncs > 0,
	}
	for w.done < len(data) {
		if err := w.step(ctx); err != nil {
			return fmt.Errorf("write flash: %w", err)
		}
	}
	return nil
}

// troubledUnit is what one FLASH_BEGIN covers on a line that has shown trouble: a
// failure then costs little erasing.
const troubledUnit = 4 * SectorSize

// flashWriter is one WriteFlash under way. Positions are indexes into data; since
// offset is at a sector boundary, so are they where they are multiples of
// SectorSize.
type flashWriter struct {
	d        *Device
	offset   uint32
	data     []byte
	progress func(done, total int)
	may      func(ctx context.Context, again bool) error

	done     int  // everything before it is written and, if need be, compared
	pos      int  // the next byte to send
	begun    bool // FLASH_BEGIN is answered for start..end
	start    int
	end      int
	reported int  // the furthest position reported
	opened   bool // a piece was begun
	again    bool // and something has failed since may said yes

	troubled bool                        // something has gone wrong on this line
	sector   int                         // position of the sector that failed last
	failures [SectorSize / blockSize]int // of each of its blocks
	revived  bool                        // the chip has been reset for it
	rewrites int                         // of the piece at done, because it differed
}

// step does the next thing: announce a piece, send one of its blocks, or finish it.
func (w *flashWriter) step(ctx context.Context) error {
	switch {
	case !w.begun:
		if err := w.ask(ctx); err != nil {
			return w.retry(ctx, err)
		}
		w.start, w.end = w.pos, w.pieceEnd()
		w.opened = true
		_, _, err := w.d.command(ctx, flashBegin(w.offset+uint32(w.start), w.end-w.start))
		if err != nil {
			return w.retry(ctx, err)
		}
		w.begun = true
	case w.pos < w.end:
		next := min(w.pos+blockSize, w.end)
		_, _, err := w.d.command(ctx, flashData((w.pos-w.start)/blockSize, w.data[w.pos:next]))
		if err != nil {
			return w.retry(ctx, err)
		}
		w.pos = next
		w.report()
	default:
		return w.finish(ctx)
	}
	return nil
}

// ask asks whether to go on. Before the first piece nobody had the time to change that.
func (w *flashWriter) ask(ctx context.Context) error {
	if !w.opened {
		return nil
	}
	err := w.may(ctx, w.again)
	if err == nil {
		w.again = false
	}
	return err
}

// pieceEnd is how far the next FLASH_BEGIN reaches: to the next boundary of what
// the flash erases at once, so that it can.
func (w *flashWriter) pieceEnd() int {
	unit := eraseUnit
	if w.troubled {
		unit = troubledUnit
	}
	return min(len(w.data), w.pos+unit-(int(w.offset)+w.pos)%unit)
}

// finish ends a piece whose blocks are all acknowledged.
func (w *flashWriter) finish(ctx context.Context) error {
	w.begun = false
	if w.troubled {
		same, err := w.compare(ctx)
		if err != nil {
			return err
		}
		if !same {
			return w.rewrite()
		}
	}
	w.done, w.rewrites = w.pos, 0
	return nil
}

// compare asks for the MD5 of what is written and not yet compared, twice if it
// differs: the answer has no checksum either.
func (w *flashWriter) compare(ctx context.Context) (same bool, err error) {
	want := md5.Sum(w.data[w.done:w.pos])
	for range 2 {
		sum, err := w.d.FlashMD5(ctx, w.offset+uint32(w.done), uint32(w.pos-w.done))
		if err != nil {
			return false, err
		}
		if sum == want {
			return true, nil
		}
	}
	return false, nil
}

// rewrite goes back to the start of a piece that differs.
func (w *flashWriter) rewrite() error {
	w.rewrites++
	if w.rewrites == maxTries {
		return fmt.Errorf("at %#x, written %d times: %w", w.offset+uint32(w.done), maxTries, ErrContent)
	}
	w.d.stats.Resends++
	w.pos, w.again = w.done, true
	w.failures = [len(w.failures)]int{}
	return nil
}

// retry decides what a failure at pos costs: nil means that it starts again at its
// sector.
func (w *flashWriter) retry(ctx context.Context, err error) error {
	sector, block := w.pos-w.pos%SectorSize, w.pos%SectorSize/blockSize
	if sector != w.sector {
		w.sector, w.failures, w.revived = sector, [len(w.failures)]int{}, false
	}
	w.failures[block]++
	at := w.offset + uint32(w.pos)
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
	w.troubled = true
	w.pos, w.begun, w.again = sector, false, true
	return nil
}

// report tells of progress that is new.
func (w *flashWriter) report() {
	if w.pos > w.reported {
		w.reported = w.pos
		if w.progress != nil {
			w.progress(w.pos, len(w.data))
		}
	}
}
