package esptool

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

type exchange struct {
	Name    string   `json:"name"`
	Request string   `json:"request"` // SLIP payload in hex
	Replies []string `json:"replies"`
}

// transcript is what the mask ROM of revision 3 said; origin in the file.
func transcript(t testing.TB) []exchange {
	t.Helper()
	raw, err := os.ReadFile("testdata/rom-transcript.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exchanges []exchange `json:"exchanges"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Exchanges) == 0 {
		t.Fatal("transcript is empty")
	}
	return file.Exchanges
}

// replaying is a Device in step with a chip that answers exactly the request of x
// with its replies, any SYNC with eight of its own, and nothing else.
func replaying(t *testing.T, x exchange) (*Device, *memLine) {
	line := newMemLine()
	want := appendFrame(nil, unhex(t, x.Request))
	sync := appendFrame(nil, syncRequest.appendPayload(nil))
	answered := false
	line.hear = func(p []byte) {
		switch {
		case !answered && bytes.Equal(p, want):
			answered = true
			for _, r := range x.Replies {
				line.say(appendFrame(nil, unhex(t, r)))
			}
		case bytes.Equal(p, sync):
			for range syncReplies {
				line.say(appendFrame(nil, unhex(t, "010804000707122000000000")))
			}
		default:
			t.Errorf("client sent %x, want %x", p, want)
		}
	}
	d := newDevice(line, Config{Reset: ResetNone})
	d.inStep = true
	d.flash.size = 4 << 20
	return d, line
}

// outcome is what the client has to make of an exchange, read from the frame alone.
func outcome(t *testing.T, x exchange) (value uint32, code byte, answered bool) {
	request, first := unhex(t, x.Request), unhex(t, x.Replies[0])
	if first[0] != directionReply || first[1] != request[1] {
		return 0, 0, false
	}
	status := len(first) - romStatusSize
	if first[status] != 0 {
		code = first[status+1]
	}
	return binary.LittleEndian.Uint32(first[4:]), code, true
}

// TestTranscript sends each request of the transcript through the client's encoder
// and has it judge the ROM's own replies.
func TestTranscript(t *testing.T) {
	results := map[opcode]int{opSPIFlashMD5: 32, opReadFlashSlow: 64}
	for _, x := range transcript(t) {
		t.Run(x.Name, bubble(func(t *testing.T) {
			d, _ := replaying(t, x)
			raw := unhex(t, x.Request)
			op := opcode(raw[1])
			got, value, err := d.command(context.Background(), request{
				op: op, body: raw[headerSize:], checksum: binary.LittleEndian.Uint32(raw[4:]),
				result: results[op], soft: 10 * time.Millisecond, hard: time.Second,
			})
			wantValue, code, answered := outcome(t, x)
			var refused *ROMError
			switch {
			case !answered:
				if !errors.Is(err, ErrNoReply) {
					t.Errorf("error = %v, want %v", err, ErrNoReply)
				}
			case code != 0:
				if !errors.As(err, &refused) || refused.Code != code || refused.Op != byte(op) {
					t.Errorf("error = %v, want code %#02x of %v", err, code, op)
				}
			case err != nil:
				t.Errorf("error = %v, want none", err)
			case value != wantValue || len(got) != results[op]:
				t.Errorf("value %#08x and %d bytes, want %#08x and %d", value, len(got), wantValue, results[op])
			}
			if !d.inStep {
				t.Error("link is not in step afterwards")
			}
		}))
	}
}

// TestTranscriptCalls has the public calls produce the requests of the transcript.
func TestTranscriptCalls(t *testing.T) {
	ctx := context.Background()
	block := map[string][]byte{}
	for _, x := range transcript(t) {
		block[x.Name] = unhex(t, x.Request)
	}
	data := block["flash_data seq0 ok"][headerSize+16:]
	readsAs := func(addr, want uint32) func(*Device) error {
		return func(d *Device) error {
			got, err := d.ReadReg(ctx, addr)
			if err == nil && got != want {
				t.Errorf("ReadReg = %#08x, want %#08x", got, want)
			}
			return err
		}
	}
	raw := func(req request) func(*Device) error {
		return func(d *Device) error { _, _, err := d.command(ctx, req); return err }
	}
	md5Is := func(offset, size uint32) func(*Device) error {
		return func(d *Device) error {
			sum, err := d.FlashMD5(ctx, offset, size)
			if err == nil && sum == [16]byte{} {
				t.Error("MD5 is all zeros")
			}
			return err
		}
	}
	calls := map[string]func(*Device) error{
		"sync":                                func(d *Device) error { d.inStep = false; return d.resync(ctx) },
		"read_reg chip magic":                 readsAs(0x40001000, chipMagic),
		"read_reg efuse blk0 word1 (mac low)": readsAs(0x3FF5A004, 0xC4A1B2C3),
		"read_reg efuse blk0 word3":           readsAs(0x3FF5A00C, 0x8000),
		"read_reg apb ctrl date":              readsAs(0x3FF6607C, 0x96042000),
		"read_reg uart clkdiv":                readsAs(0x3FF40014, 0x15A),
		"write_reg (SPI1 USER2 mask)":         func(d *Device) error { return d.WriteReg(ctx, 0x3FF42024, 0x70000000) },
		"spi_attach":                          func(d *Device) error { return d.spiAttach(ctx, 0) },
		"spi_set_params":                      func(d *Device) error { return d.setParams(ctx, 4<<20) },
		"flash_begin 1 block 1024 at 0x30000": raw(flashBegin(0x30000, 1024)),
		"flash_data seq0 ok":                  raw(flashData(0, data)),
		"md5 of it":                           md5Is(0x30000, 0x400),
		"md5 of 2048":                         md5Is(0x30000, 0x800),
		"read_flash_slow 0x0e 64 bytes at 0x30000": func(d *Device) error {
			got, err := d.ReadFlash(ctx, 0x30000, 64)
			if err == nil && !bytes.Equal(got, data[:64]) {
				t.Errorf("ReadFlash = %x, want %x", got, data[:64])
			}
			return err
		},
	}
	for _, x := range transcript(t) {
		call, ok := calls[x.Name]
		if !ok {
			continue // the client never sends it; TestTranscript has it
		}
		delete(calls, x.Name)
		t.Run(x.Name, bubble(func(t *testing.T) {
			d, _ := replaying(t, x)
			if err := call(d); err != nil {
				t.Error(err)
			}
			if d.stats.Resyncs > 1 || d.stats.Resends > 0 {
				t.Errorf("stats %+v: it took repeats", d.stats)
			}
		}))
	}
	for name := range calls {
		t.Errorf("no exchange called %q in the transcript", name)
	}
}
