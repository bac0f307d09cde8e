package porttest

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// Line is what an RFC 2217 server offers: a serial port that it can set up.
type Line interface {
	Port
	SetBaud(baud int) error
}

// Server is an RFC 2217 server in front of a line, written from the RFC and from what
// esp_rfc2217_server, pyserial and ser2net send. The zero value of all but Line is an
// honest one; the rest is what servers do that a client has to live with.
type Server struct {
	Line Line

	Raw      bool                               // a socket without Telnet
	Refuses  []byte                             // options
	Ignores  []byte                             // options
	Deaf     bool                               // it takes all and answers nothing
	Unheard  func(code byte, value []byte) bool // COM-PORT commands that it does not answer
	Answers  func(code, value byte) byte        // with another value than it was asked
	Rate     func(asked int) int                // what it makes of a speed; 0: no answer
	Pieces   bool                               // every byte in a packet of its own
	Greeting []byte                             // it sends first
	Insists  bool                               // it asks again for each option that it has settled
	Instead  func(code, value byte) bool        // deals with a command in a way of its own, without an answer

	mu       sync.Mutex
	conn     net.Conn
	dtr, rts bool
}

// Telnet and COM-PORT-OPTION numbers, apart from the client's on purpose.
const (
	se, sb, will, wont, do, dont, iac = 240, 250, 251, 252, 253, 254, 255

	echo, comPort = 1, 44
)

// Listen serves clients, one after the other, at an address of this machine until stop.
func (s *Server) Listen() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return // stopped
			}
			s.Serve(conn)
		}
	}()
	return l.Addr().String(), func() {
		_ = l.Close() // it was only listening
		s.HangUp()
		<-done
	}, nil
}

// HangUp ends the connection that is served.
func (s *Server) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // which is what the client is to notice
	}
}

// SetDeaf makes the server take everything and answer nothing from now on.
func (s *Server) SetDeaf() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Deaf = true
}

func (s *Server) deaf() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Deaf
}

// Say sends bytes of the protocol to the client.
func (s *Server) Say(p ...byte) { s.say(p) }

// Notify sends a COM-PORT command without a value to the client.
func (s *Server) Notify(code byte) { s.say([]byte{iac, sb, comPort, code + 100, iac, se}) }

// Serve is one client's session. It returns when the connection or the line fails.
func (s *Server) Serve(conn net.Conn) {
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	_ = s.Line.SetReadDeadline(time.Time{})
	var sending sync.WaitGroup
	sending.Go(s.toClient)
	s.say(s.Greeting)
	if !s.Raw && !s.deaf() {
		s.say([]byte{iac, will, echo, iac, will, comPort, iac, do, 0})
	}
	s.fromClient()
	s.HangUp()
	_ = s.Line.SetReadDeadline(time.Unix(1, 0)) // ends toClient
	sending.Wait()
}

// say sends bytes to the client. One that is gone is noticed by who reads.
func (s *Server) say(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(p)
	if s.Pieces {
		size = 1
	}
	for piece := range slices.Chunk(p, max(size, 1)) {
		_, _ = s.conn.Write(piece)
	}
}

// toClient copies what the line says.
func (s *Server) toClient() {
	buf := make([]byte, 4096)
	for {
		n, err := s.Line.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			s.HangUp()
			return
		}
		switch {
		case s.Raw:
			s.say(buf[:n])
		case !s.deaf():
			s.say(double(buf[:n]))
		}
	}
}

// double is p with each IAC twice.
func double(p []byte) (out []byte) {
	for _, b := range p {
		out = append(out, b)
		if b == iac {
			out = append(out, b)
		}
	}
	return out
}

// fromClient takes the client's stream apart, a byte at a time.
func (s *Server) fromClient() {
	buf := make([]byte, 1024)
	var held []byte // an incomplete command
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		if s.Raw {
			_, _ = s.Line.Write(buf[:n]) // a chip that does not listen is no error
			continue
		}
		held = append(held, buf[:n]...)
		for len(held) > 0 {
			used := s.step(held)
			if used == 0 {
				break
			}
			held = held[used:]
		}
	}
}

// step takes one piece of data or one command from the front of p, and returns how
// long it was; 0: not all of it is here.
func (s *Server) step(p []byte) int {
	i := slices.Index(p, iac)
	if i < 0 {
		i = len(p)
	}
	switch {
	case i > 0:
		_, _ = s.Line.Write(p[:i])
		return i
	case len(p) < 2:
		return 0
	case p[1] == iac:
		_, _ = s.Line.Write(p[1:2])
		return 2
	case p[1] == sb:
		return s.subnegotiation(p)
	case p[1] < will:
		return 2
	case len(p) < 3:
		return 0
	}
	s.option(p[1], p[2])
	return 3
}

// subnegotiation handles one at the front of p if it is whole.
func (s *Server) subnegotiation(p []byte) int {
	var body []byte
	for i := 2; i+1 < len(p); i++ {
		switch {
		case p[i] == iac && p[i+1] == se:
			if len(body) > 2 && body[0] == comPort {
				s.command(body[1], body[2:])
			}
			return i + 2
		case p[i] == iac:
			i++
		}
		body = append(body, p[i])
	}
	return 0
}

// option answers a request of the client.
func (s *Server) option(verb, option byte) {
	if s.deaf() {
		return
	}
	yes, no := byte(do), byte(dont)
	if verb == do || verb == dont {
		yes, no = will, wont
	}
	switch {
	case slices.Contains(s.Ignores, option):
	case slices.Contains(s.Refuses, option):
		s.say([]byte{iac, no, option})
	case verb == will || verb == do:
		s.say([]byte{iac, yes, option})
		if s.Insists {
			s.say([]byte{iac, yes, option, iac, yes, option})
		}
	}
}

// command does what a COM-PORT command asks and answers.
func (s *Server) command(code byte, value []byte) {
	if s.deaf() || s.Instead != nil && s.Instead(code, value[0]) {
		return
	}
	unheard := s.Unheard != nil && s.Unheard(code, value)
	switch {
	case code == 1 && len(value) == 4:
		value = s.setBaud(int(binary.BigEndian.Uint32(value)))
	case code == 5:
		s.setLine(value[0])
	}
	if unheard || len(value) == 0 {
		return
	}
	if s.Answers != nil && code != 1 {
		value = []byte{s.Answers(code, value[0])}
	}
	answer := append([]byte{iac, sb, comPort, code + 100}, double(value)...)
	s.say(append(answer, iac, se))
}

// setBaud sets a speed and returns the answer.
func (s *Server) setBaud(baud int) (answer []byte) {
	if s.Rate != nil {
		baud = s.Rate(baud)
	}
	_ = s.Line.SetBaud(baud) // the answer to a line that refuses is not ours to make up
	if baud == 0 {
		return nil
	}
	return binary.BigEndian.AppendUint32(nil, uint32(baud))
}

// setLine moves one line, if that is what the control command is about.
func (s *Server) setLine(control byte) {
	switch control {
	case 8, 9:
		s.dtr = control == 8
	case 11, 12:
		s.rts = control == 11
	default:
		return
	}
	_ = s.Line.SetLines(s.dtr, s.rts) // nor to one without lines
}

// EspressifResets makes a server deal with the lines of line as esp_rfc2217_server
// does: DTR on begins a reset into download mode and RTS off one into the application,
// both with times of its own; the rest is ignored, and nothing is answered. Source:
// what it does at v4.8.1.
func EspressifResets(line Line) (instead func(code, value byte) bool) {
	type step struct {
		dtr, rts bool
		hold     time.Duration
	}
	run := func(steps ...step) {
		for _, s := range steps {
			_ = line.SetLines(s.dtr, s.rts) // as in setLine
			time.Sleep(s.hold)
		}
	}
	download := false
	return func(code, value byte) bool {
		switch {
		case code != 5 || value < 8:
			return false
		case value == 9:
			download = false
		case value == 8 && !download:
			download = true
			go run(step{}, step{true, true, 0}, step{false, true, 100 * time.Millisecond},
				step{true, false, 50 * time.Millisecond}, step{})
		case value == 12 && !download:
			go run(step{false, true, 100 * time.Millisecond}, step{})
		}
		return true
	}
}
