package esptool

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/esptool/porttest"
	"provision/internal/simulator"
)

// pipeEnd is one end of a connection in memory, for bubbles. Unlike net.Pipe, it takes
// what is written before the other side reads, as a network does.
type pipeEnd struct {
	net.Conn // nil: what is not below is not used
	in, out  *inbox
}

func newPipe() (a, b *pipeEnd) {
	x, y := newInbox(), newInbox()
	return &pipeEnd{in: x, out: y}, &pipeEnd{in: y, out: x}
}

func (e *pipeEnd) Read(p []byte) (int, error)       { return e.in.Read(p) }
func (e *pipeEnd) SetWriteDeadline(time.Time) error { return nil }

func (e *pipeEnd) Write(p []byte) (int, error) {
	e.out.mu.Lock()
	failed := e.out.failed
	e.out.mu.Unlock()
	if failed != nil {
		return 0, io.ErrClosedPipe
	}
	e.out.put(p)
	return len(p), nil
}

func (e *pipeEnd) Close() error {
	e.in.fail(io.EOF)
	e.out.fail(io.EOF)
	return nil
}

// served opens a port behind s, at the other end of a connection in memory.
func served(t *testing.T, s *porttest.Server) (Port, error) {
	t.Helper()
	near, far := newPipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(far)
	}()
	p, err := newRFC2217(t.Context(), near, initialBaud)
	t.Cleanup(func() {
		if p != nil {
			_ = p.Close()
		}
		<-done
	})
	return p, err
}

// opened is served where that must succeed.
func opened(t *testing.T, s *porttest.Server) Port {
	t.Helper()
	p, err := served(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// blank is a virtual chip that has just started its (empty) flash.
func blank() *simulator.Chip { return simulator.New(simulator.DefaultConfig()) }

func TestRFC2217PortContract(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Subject {
		f := newFakeROM()
		address, stop, err := (&porttest.Server{Line: f}).Listen()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		p, err := Open(t.Context(), "rfc2217://"+address+ignoreControl, 115200)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		return porttest.Subject{Port: p, Bytes: 14 * syncReplies, Provoke: func() error {
			_, err := p.Write(appendFrame(nil, syncRequest.appendPayload(nil)))
			return err
		}}
	})
}

// TestSessionOverRFC2217 has a station's work done over servers as they are: resets,
// a speed, and flash contents full of the byte that Telnet doubles.
func TestSessionOverRFC2217(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*porttest.Server)
	}{
		{"honest", func(*porttest.Server) {}},
		{"byte by byte", func(s *porttest.Server) { s.Pieces = true }},
		{"insists on options", func(s *porttest.Server) { s.Insists = true }},
		{"greets", func(s *porttest.Server) { s.Greeting = []byte("ser2net port 3001 [,115200N81]\r\n\xff\xf1") }},
		{"resets on its own", func(s *porttest.Server) { s.Instead = porttest.EspressifResets(s.Line) }},
		{"always the same answer about lines", func(s *porttest.Server) {
			s.Answers = func(code, value byte) byte {
				if code == comPortControl {
					return controlNoFlow
				}
				return value
			}
		}},
		{"silent about all but what must be answered", func(s *porttest.Server) {
			settings := 0
			s.Unheard = func(code byte, _ []byte) bool {
				if code == comPortBits {
					settings++
				}
				return code == comPortControl || code == comPortPurge || settings > 1 && code == comPortBits
			}
		}},
		{"silent about BINARY", func(s *porttest.Server) { s.Ignores = []byte{optionBinary} }},
		{"tells what its divider makes", func(s *porttest.Server) { s.Rate = func(asked int) int { return asked + asked/200 } }},
	} {
		for _, mode := range []ResetMode{ResetClassic, ResetTight} {
			t.Run(c.name+"/"+string(mode), bubble(func(t *testing.T) {
				s := &porttest.Server{Line: blank()}
				c.change(s)
				flashOverRFC2217(t, opened(t, s), mode)
			}))
		}
	}
}

// flashOverRFC2217 brings the chip behind p into download mode at the first attempt,
// raises the speed, and writes, verifies and reads flash.
func flashOverRFC2217(t *testing.T, p Port, mode ResetMode) {
	t.Helper()
	d, err := Connect(t.Context(), p, Config{Reset: mode, Attempts: 1, Bauds: []int{460800}})
	if err != nil {
		t.Fatal(err)
	}
	if !d.CanReset() || d.Baud() != 460800 {
		t.Errorf("CanReset %v, Baud %d", d.CanReset(), d.Baud())
	}
	chip, err := d.Identify(t.Context())
	if err != nil || !chip.MACCRCOK {
		t.Fatalf("Identify = %+v, %v", chip, err)
	}
	if err := d.AttachFlash(t.Context(), chip.FlashPins, 4<<20); err != nil {
		t.Fatal(err)
	}
	data := slices.Concat(bytes.Repeat([]byte{0xFF}, SectorSize), []byte{0xFF, 0xF0, 0xFF, 0xFA, 44, 0x0D, 0x00, 0x0D, 0xFF, 0xFF, 0x11, 0x13}, testData(500))
	if err := d.WriteFlash(t.Context(), 0x10000, data, nil); err != nil {
		t.Fatal(err)
	}
	sum, err := d.FlashMD5(t.Context(), 0x10000, uint32(len(data)))
	if err != nil || sum != md5.Sum(data) {
		t.Errorf("FlashMD5 = %x, %v", sum, err)
	}
	back, err := d.ReadFlash(t.Context(), 0x10000+SectorSize-8, 600)
	if err != nil || !bytes.Equal(back[:500], data[SectorSize-8:][:500]) {
		t.Errorf("ReadFlash = %x, %v", back, err)
	}
	startOverRFC2217(t, d)
}

// startOverRFC2217 starts the application, hears its log, and comes back.
func startOverRFC2217(t *testing.T, d *Device) {
	t.Helper()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var heard []string
	if err := d.Console(ctx, func(line string) bool {
		heard = append(heard, line)
		return strings.Contains(line, "SPI_FAST_FLASH_BOOT")
	}); err != nil {
		t.Errorf("Console = %v after %q", err, heard)
	}
	if err := d.Reconnect(t.Context()); err != nil {
		t.Errorf("Reconnect = %v", err)
	}
}

func TestRFC2217Refusals(t *testing.T) {
	answering := func(code byte, with byte) func(byte, byte) byte {
		return func(c, value byte) byte {
			if c == code {
				return with
			}
			return value
		}
	}
	for _, c := range []struct {
		name   string
		server *porttest.Server
		want   error
		says   string
	}{
		{"raw socket", &porttest.Server{Raw: true}, ErrRFC2217, "no answer within 5s"},
		{"silent", &porttest.Server{Deaf: true}, ErrRFC2217, "serving somebody else"},
		{"telnet alone", &porttest.Server{Refuses: []byte{optionComPort}}, ErrRFC2217, "refuses Telnet option COM-PORT-OPTION"},
		{"text alone", &porttest.Server{Refuses: []byte{optionBinary}}, ErrRFC2217, "refuses Telnet option BINARY"},
		{"seven bits", &porttest.Server{Answers: answering(comPortBits, 7)}, ErrRFC2217, "8 data bits (8) and answers [7]"},
		{"even parity", &porttest.Server{Answers: answering(comPortParity, 3)}, ErrRFC2217, "no parity"},
		{"XON/XOFF stays", &porttest.Server{Answers: answering(comPortControl, controlXon)}, ErrRFC2217, "flow control"},
		{"settings not answered", &porttest.Server{Unheard: func(code byte, _ []byte) bool { return code == comPortStop }}, ErrRFC2217, "1 stop bit"},
		{"another speed", &porttest.Server{Rate: func(int) int { return 9600 }}, ErrRFC2217, "115200 baud and answers 9600"},
		{"no speed", &porttest.Server{Rate: func(int) int { return 0 }}, ErrRFC2217, "asked for 115200 baud and does not answer"},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			c.server.Line = blank()
			start := time.Now()
			_, err := served(t, c.server)
			if said := strings.Contains(c.says, "answers"); said && time.Since(start) > 0 {
				t.Errorf("what is plain was told after %v", time.Since(start))
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("open = %v, want %v and %q", err, c.want, c.says)
			}
		}))
	}
}

// hangUp is a connection whose far end says words and closes it.
func hangUp(words string) *pipeEnd {
	near, far := newPipe()
	far.out.put([]byte(words))
	_ = far.Close()
	return near
}

func TestRFC2217ServerHangsUp(t *testing.T) {
	for words, want := range map[string]error{"Port already in use\r\n": ErrPortBusy, "": ErrPortBusy, "No such device\r\n": ErrPortMissing} {
		t.Run(words, bubble(func(t *testing.T) {
			_, err := newRFC2217(t.Context(), hangUp(words), initialBaud)
			if !errors.Is(err, want) || !strings.Contains(err.Error(), strings.TrimSpace(words)) {
				t.Errorf("open = %v, want %v", err, want)
			}
		}))
	}
}

func TestRFC2217OpenHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := newPipe()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := newRFC2217(ctx, near, initialBaud); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("open = %v after %v", err, time.Since(start))
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "rfc2217://127.0.0.1:1", initialBaud); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want %v", err, context.Canceled)
	}
}

// TestRFC2217OpenNamesTheServer: whoever meant a raw socket reads how to write it.
func TestRFC2217OpenNamesTheServer(t *testing.T) {
	address, stop, err := (&porttest.Server{Line: blank(), Refuses: []byte{optionComPort}}).Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	_, err = Open(t.Context(), "rfc2217://"+address, initialBaud)
	for _, says := range []string{"open port rfc2217://" + address, "a raw socket is written tcp://" + address} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Open = %v, does not say %q", err, says)
		}
	}
}

// TestRFC2217ForgetsWhatCameBefore: what the server says first, or has kept from before,
// is not taken for an answer of the chip.
func TestRFC2217ForgetsWhatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first []byte
		p := opened(t, &porttest.Server{Line: newFakeROM(), Greeting: []byte("hello\r\n"), Unheard: func(code byte, value []byte) bool {
			if first == nil {
				first = append([]byte{code}, value...)
			}
			return false
		}})
		if !bytes.Equal(first, []byte{comPortPurge, purgeBoth}) {
			t.Errorf("the first command is %d, not to drop what was kept", first)
		}
		if err := p.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %d, %v; want %v", n, err, os.ErrDeadlineExceeded)
		}
	})
}

// TestRFC2217RefusedSpeed: the next speed of the ladder is taken.
func TestRFC2217RefusedSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := opened(t, &porttest.Server{Line: blank(), Rate: func(asked int) int { return min(asked, 230400) }})
		var warned []string
		d, err := Connect(t.Context(), p, Config{Bauds: []int{921600, 460800, 230400}, Warn: func(s string) { warned = append(warned, s) }})
		if err != nil || d.Baud() != 230400 || len(warned) != 2 {
			t.Fatalf("Connect = %v, warnings %q", err, warned)
		}
		if err := d.ChangeBaud(t.Context(), 460800); !errors.Is(err, ErrBaud) || !strings.Contains(err.Error(), "answers 230400") {
			t.Errorf("ChangeBaud = %v, want %v", err, ErrBaud)
		}
	})
}

// TestRFC2217RefusedWithoutReset: a chip that nothing brings back is told of no speed that
// the server refuses.
func TestRFC2217RefusedWithoutReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := opened(t, &porttest.Server{Line: simulator.New(simulator.DefaultConfig(), simulator.WithDownloadMode()), Rate: func(asked int) int { return min(asked, 230400) }})
		var warned []string
		cfg := Config{Reset: ResetNone, Bauds: []int{921600, 460800, 230400}, Warn: func(s string) { warned = append(warned, s) }}
		d, err := Connect(t.Context(), p, cfg)
		if err != nil || d.Baud() != 230400 || len(warned) != 2 {
			t.Fatalf("Connect = %v, warnings %q", err, warned)
		}
		if _, err := d.ReadReg(t.Context(), magicReg); err != nil {
			t.Errorf("the link is lost: %v", err)
		}
	})
}

// TestRFC2217Lost ends the connection, or the server's answers, in the middle.
func TestRFC2217Lost(t *testing.T) {
	for name, lose := range map[string]func(*porttest.Server){
		"hangs up": (*porttest.Server).HangUp,
		"silent":   func(s *porttest.Server) { s.SetDeaf() },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			s := &porttest.Server{Line: blank()}
			d, err := Connect(t.Context(), opened(t, s), Config{})
			if err != nil {
				t.Fatal(err)
			}
			lose(s)
			if _, err := d.ReadReg(t.Context(), magicReg); !errors.Is(err, ErrLinkLost) && !errors.Is(err, ErrNoReply) {
				t.Errorf("ReadReg = %v, want %v", err, ErrLinkLost)
			}
			err = d.ChangeBaud(t.Context(), 230400)
			if !errors.Is(err, ErrLinkLost) {
				t.Errorf("ChangeBaud = %v, want %v", err, ErrLinkLost)
			}
			if err := d.port.(bauder).SetBaud(230400); err == nil || errors.Is(err, ErrBaud) {
				t.Errorf("SetBaud = %v, which is no refusal", err)
			}
			if err := d.Reconnect(t.Context()); !errors.Is(err, ErrLinkLost) && !errors.Is(err, ErrNoAnswer) {
				t.Errorf("Reconnect = %v", err)
			}
		}))
	}
}

// recorder is a line that keeps when its lines moved.
type recorder struct {
	*simulator.Chip
	mu    sync.Mutex
	moves []move
}

type move struct {
	dtr, rts bool
	at       time.Time
}

func (r *recorder) SetLines(dtr, rts bool) error {
	r.mu.Lock()
	r.moves = append(r.moves, move{dtr, rts, time.Now()})
	r.mu.Unlock()
	return r.Chip.SetLines(dtr, rts)
}

// jitter is a connection that delays every other packet to the server.
type jitter struct {
	*pipeEnd
	mu    sync.Mutex
	sent  int
	ready time.Time
}

func (j *jitter) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent++
	at := time.Now()
	if j.sent%2 == 0 {
		at = at.Add(80 * time.Millisecond)
	}
	if at.Before(j.ready) {
		at = j.ready // packets do not overtake each other
	}
	j.ready = at
	own := bytes.Clone(p)
	time.AfterFunc(time.Until(at), func() { _, _ = j.pipeEnd.Write(own) })
	return len(p), nil
}

// TestRFC2217HoldsLines: a line is held as long as it must be on the far side, whatever
// the network does to the packets.
func TestRFC2217HoldsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newPipe()
		r := &recorder{Chip: blank()}
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&porttest.Server{Line: r}).Serve(far)
		}()
		p, err := newRFC2217(t.Context(), &jitter{pipeEnd: near}, initialBaud)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		if len(r.moves) != 0 {
			t.Errorf("opening moved the lines: %v", r.moves)
		}
		if _, err := Connect(t.Context(), p, Config{Attempts: 1}); err != nil {
			t.Fatal(err)
		}
		if err := p.SetLines(false, false); err != nil { // as they are: nothing is sent
			t.Fatal(err)
		}
		_ = p.Close()
		<-done
		want := []move{{dtr: false, rts: false}, {dtr: false, rts: true}, {dtr: true, rts: true}, {dtr: true, rts: false}, {dtr: false, rts: false}}
		if !slices.EqualFunc(r.moves, want, func(a, b move) bool { return a.dtr == b.dtr && a.rts == b.rts }) {
			t.Fatalf("lines moved %v, want %v", r.moves, want)
		}
		if held := r.moves[2].at.Sub(r.moves[1].at); held < resetPulse {
			t.Errorf("EN was low for %v", held)
		}
		if held := r.moves[4].at.Sub(r.moves[3].at); held < shortHold {
			t.Errorf("IO0 was low for %v", held)
		}
		if between := r.moves[3].at.Sub(r.moves[2].at); between != 0 {
			t.Errorf("both lines were asserted for %v", between)
		}
	})
}

// TestRFC2217Waits: a server that cannot take data says so, and when it can again.
func TestRFC2217Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &porttest.Server{Line: blank()}
		p := opened(t, s)
		s.Notify(comPortSuspend)
		synctest.Wait()
		start := time.Now()
		time.AfterFunc(time.Second, func() { s.Notify(comPortResume) })
		if _, err := p.Write([]byte("x")); err != nil || time.Since(start) != time.Second {
			t.Errorf("Write = %v after %v", err, time.Since(start))
		}
		s.Notify(comPortSuspend)
		synctest.Wait()
		if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v, want %v", err, os.ErrDeadlineExceeded)
		}
	})
}

// TestRFC2217TakesBack: a server that stops being one in the middle is not trusted.
func TestRFC2217TakesBack(t *testing.T) {
	for _, option := range []byte{optionBinary, optionComPort} {
		synctest.Test(t, func(t *testing.T) {
			s := &porttest.Server{Line: blank()}
			p := opened(t, s)
			s.Say(telnetIAC, telnetDONT, option)
			if _, err := io.Copy(io.Discard, p); !errors.Is(err, ErrRFC2217) { // first what the chip has said
				t.Errorf("Read = %v, want %v", err, ErrRFC2217)
			}
			if _, err := p.Write([]byte{1}); !errors.Is(err, ErrRFC2217) {
				t.Errorf("Write = %v, want %v", err, ErrRFC2217)
			}
		})
	}
}

// TestInboxForgetsTheOldest: a port that nobody reads takes no more memory than that.
func TestInboxForgetsTheOldest(t *testing.T) {
	b := newInbox()
	for i := range 3 {
		b.put(bytes.Repeat([]byte{byte(i)}, maxUnread/2))
	}
	if unread := b.forget(); len(unread) != maxUnread || unread[0] != 1 || unread[maxUnread-1] != 2 {
		t.Errorf("%d bytes, from %d to %d", len(unread), unread[0], unread[len(unread)-1])
	}
}
