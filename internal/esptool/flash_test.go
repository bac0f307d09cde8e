package esptool

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// attached is a Device with its 4 MB of flash ready.
func attached(t testing.TB, f *fakeROM, cfg Config) *Device {
	t.Helper()
	d := connected(t, f, cfg)
	if err := d.AttachFlash(context.Background(), 0, uint32(len(f.flash))); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWriteFlash(t *testing.T) {
	for _, c := range []struct {
		offset uint32
		size   int
	}{{0x1000, 1}, {0x8000, 0xC00}, {0xF000, 0x1234}, {0x10000, eraseUnit}, {0x1F000, 3*eraseUnit + 5}, {0, 0}} {
		t.Run(fmt.Sprintf("%#x bytes at %#x", c.size, c.offset), bubble(func(t *testing.T) {
			f := newFakeROM()
			d := attached(t, f, Config{})
			data := testData(c.size)
			last := 0
			err := d.WriteFlash(context.Background(), c.offset, data, func(done, total int) {
				if done <= last || total != len(data) {
					t.Errorf("progress %d of %d after %d", done, total, last)
				}
				last = done
			})
			if err != nil || last != len(data) {
				t.Fatalf("WriteFlash = %v, progress ended at %d", err, last)
			}
			if got := f.flash[c.offset:][:c.size]; !bytes.Equal(got, data) {
				t.Error("flash does not hold the data")
			}
			if d.Stats().Resends+d.Stats().Resyncs > 0 {
				t.Errorf("stats %+v on a good line", d.Stats())
			}
		}))
	}
}

func TestWriteFlashRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFakeROM()
		d := connected(t, f, Config{})
		if err := d.WriteFlash(ctx, 0x1000, []byte{1}, nil); !errors.Is(err, ErrNotAttached) {
			t.Errorf("before AttachFlash: %v, want %v", err, ErrNotAttached)
		}
		for _, size := range []uint32{0, 1000, MaxFlash + eraseUnit} {
			if err := d.AttachFlash(ctx, 0, size); !errors.Is(err, ErrRange) {
				t.Errorf("AttachFlash of %d: %v, want %v", size, err, ErrRange)
			}
		}
		d = attached(t, f, Config{})
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"write inside a sector":  {d.WriteFlash(ctx, 0x1010, []byte{1}, nil), ErrAlign},
			"write past the end":     {d.WriteFlash(ctx, 4<<20-SectorSize, make([]byte, SectorSize+1), nil), ErrRange},
			"write beyond the end":   {d.WriteFlash(ctx, 0xFFFFF000, make([]byte, 0x2000), nil), ErrRange},
			"erase inside a sector":  {d.EraseFlash(ctx, 0x10, SectorSize), ErrAlign},
			"erase part of a sector": {d.EraseFlash(ctx, 0, 10), ErrAlign},
			"erase past the end":     {d.EraseFlash(ctx, 4<<20, SectorSize), ErrRange},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if len(f.erased) != 0 {
			t.Errorf("a refused call erased %#x", f.erased)
		}
	})
}

// TestWriteFlashStartsTheSectorAgain fails one block in the middle of a sector: the
// sector is erased before it is written again, and no other is touched.
func TestWriteFlashStartsTheSectorAgain(t *testing.T) {
	spoil := func(p []byte) []byte { p[len(p)/2] ^= 0x10; return p }
	for name, hurt := range map[string]func(f *fakeROM, nth int){
		"block garbled": func(f *fakeROM, nth int) { f.toChip = onceOn(nth, spoil) },
		"block lost":    func(f *fakeROM, nth int) { f.toChip = dropOnce(nth) },
		"ack lost":      func(f *fakeROM, nth int) { f.toHost = dropOnce(nth) },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			f := newFakeROM()
			d := attached(t, f, Config{})
			hurt(f, 8) // FLASH_BEGIN is the first: block 6, the third of the second sector
			data := testData(5 * SectorSize)
			if err := d.WriteFlash(context.Background(), 0x4000, data, nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.erased, []uint32{0x4000, 0x5000, 0x8000}) {
				t.Errorf("FLASH_BEGIN at %#x, want 0x4000, then the sector that failed, 0x5000, to the next 16 KiB", f.erased)
			}
			if !bytes.Equal(f.flash[0x4000:][:len(data)], data) {
				t.Error("flash does not hold the data")
			}
			if d.Stats().Resends != 1 {
				t.Errorf("stats %+v, want one resend", d.Stats())
			}
		}))
	}
}

func TestWriteFlashGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{})
		f.toChip = func(p []byte) []byte {
			if len(p) > blockSize {
				p[len(p)/2] ^= 0x10
			}
			return p
		}
		err := d.WriteFlash(context.Background(), 0x4000, testData(SectorSize), nil)
		if !isROMError(err) || len(f.erased) != maxTries {
			t.Errorf("WriteFlash = %v after %d tries, want a refusal after %d", err, len(f.erased), maxTries)
		}
	})
}

// TestWriteFlashComparesOnABadLine changes two bytes of a block so that its checksum
// still fits, after another block has shown that the line is bad.
func TestWriteFlashComparesOnABadLine(t *testing.T) {
	slip := func(p []byte) []byte { p[500] ^= 0x01; p[501] ^= 0x01; return p }
	for _, c := range []struct {
		name  string
		times int
		want  error
	}{{"once", 1, nil}, {"always", 1000, ErrContent}} {
		t.Run(c.name, bubble(func(t *testing.T) {
			f := newFakeROM()
			d := attached(t, f, Config{})
			frames := 0
			f.toChip = func(p []byte) []byte {
				switch frames++; {
				case frames == 3:
					return nil
				case frames > 8 && len(p) > blockSize && c.times > 0:
					c.times--
					return slip(p)
				}
				return p
			}
			data := bytes.Repeat([]byte{0x3C}, 3*SectorSize) // nothing to escape
			err := d.WriteFlash(context.Background(), 0x4000, data, nil)
			if !errors.Is(err, c.want) || err == nil && !bytes.Equal(f.flash[0x4000:][:len(data)], data) {
				t.Errorf("WriteFlash = %v, want %v and the right content", err, c.want)
			}
		}))
	}
}

func TestWriteFlashResetsAHungChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{Reset: ResetClassic})
		hung := false
		f.before = func(op opcode, _ []byte) bool {
			if op == opFlashData && f.programs == 5 && f.resets == 1 {
				hung = true
			}
			return !hung || f.resets > 1
		}
		data := testData(2 * SectorSize)
		if err := d.WriteFlash(context.Background(), 0x4000, data, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.flash[0x4000:][:len(data)], data) || d.Stats().Reconnects != 1 {
			t.Errorf("stats %+v", d.Stats())
		}
	})
}

// badLine loses, garbles and doubles bytes with probability 1/n each, both ways. The
// eight bytes of a header are spared to the chip: it has no checksum, and what a
// wrong command does is not the client's to survive.
func badLine(f *fakeROM, n int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	hurt := func(p []byte, from int) []byte {
		out := append([]byte(nil), p[:from]...)
		for _, b := range p[from:] {
			switch r.IntN(3 * n) {
			case 0: // lost
			case 1:
				out = append(out, b^1<<r.IntN(8))
			case 2:
				out = append(out, b, b)
			default:
				out = append(out, b)
			}
		}
		return out
	}
	const dataStart = 1 + headerSize + 16
	f.toChip = func(p []byte) []byte {
		if len(p) > blockSize {
			return hurt(p, dataStart)
		}
		if r.IntN(n/16) == 0 {
			return nil
		}
		return p
	}
	f.toHost = func(p []byte) []byte { return hurt(p, 0) }
}

// TestBadLine writes over lines that hurt one byte in 5000,
// which is one block in five both ways.
func TestBadLine(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), bubble(func(t *testing.T) {
			ctx := context.Background()
			f := newFakeROM()
			d := attached(t, f, Config{})
			badLine(f, 16000, seed)
			data := testData(6*SectorSize + 77)
			if err := d.WriteFlash(ctx, 0x10000, data, nil); err != nil {
				t.Fatalf("WriteFlash: %v (%+v)", err, d.Stats())
			}
			if !bytes.Equal(f.flash[0x10000:][:len(data)], data) {
				t.Errorf("flash does not hold the data (%+v)", d.Stats())
			}
			if _, err := d.FlashMD5(ctx, 0x10000, uint32(len(data))); err != nil {
				t.Errorf("FlashMD5: %v (%+v)", err, d.Stats())
			}
		}))
	}
}

func TestEraseFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{})
		f.toHost = dropOnce(2)
		if err := d.EraseFlash(context.Background(), 0xE000, 0x13000); err != nil {
			t.Fatal(err)
		}
		for i, b := range f.flash[:0x23000] {
			if want := i >= 0xE000 && i < 0x21000; (b == 0xFF) != want {
				t.Fatalf("flash at %#x is %#02x, erased must be %v", i, b, want)
			}
		}
	})
}

func TestFlashMD5AndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFakeROM()
		d := attached(t, f, Config{})
		copy(f.flash[0x2000:], testData(1000))
		f.toHost = dropOnce(1)
		sum, err := d.FlashMD5(ctx, 0x2000, 1000)
		if err != nil || sum != md5.Sum(testData(1000)) {
			t.Errorf("FlashMD5 = %x, %v", sum, err)
		}
		f.toHost = dropOnce(3)
		got, err := d.ReadFlash(ctx, 0x2000, 1000)
		if err != nil || !bytes.Equal(got, testData(1000)) {
			t.Errorf("ReadFlash: %v, content equal %v", err, bytes.Equal(got, testData(1000)))
		}
		if _, err := d.ReadFlash(ctx, 4<<20-10, 11); !errors.Is(err, ErrRange) {
			t.Errorf("ReadFlash past the end = %v, want %v", err, ErrRange)
		}
		if _, err := d.ReadFlash(ctx, 0, -1); !errors.Is(err, ErrRange) {
			t.Errorf("ReadFlash of -1 bytes = %v, want %v", err, ErrRange)
		}
	})
}

func TestFlashMD5AsksAgainForDigitsThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{})
		f.toHost = onceOn(1, func(p []byte) []byte { p[20] = 'x'; return p })
		if sum, err := d.FlashMD5(context.Background(), 0, 64); err != nil || sum != md5.Sum(make([]byte, 64)) {
			t.Errorf("FlashMD5 = %x, %v", sum, err)
		}
	})
}

func TestCancelWriteFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{})
		ctx, cancel := context.WithCancel(context.Background())
		err := d.WriteFlash(ctx, 0x10000, testData(2*eraseUnit), func(done, _ int) {
			if done >= 10*blockSize {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || f.programs != 10 {
			t.Errorf("WriteFlash = %v after %d blocks, want 10", err, f.programs)
		}
		if err := d.WriteFlash(context.Background(), 0x10000, testData(100), nil); err != nil {
			t.Errorf("WriteFlash after it: %v", err)
		}
	})
}

func TestPerMB(t *testing.T) {
	if got := perMB(eraseHard, erasePerMB, 500_000); got != 23*time.Second {
		t.Errorf("half a million bytes: %v, want 23s", got)
	}
}

func BenchmarkWriteFlash(b *testing.B) {
	d := attached(b, newFakeROM(), Config{})
	data := testData(eraseUnit)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.WriteFlash(context.Background(), 0x10000, data, nil); err != nil {
			b.Fatal(err)
		}
	}
}
