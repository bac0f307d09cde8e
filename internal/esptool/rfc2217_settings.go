package esptool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Commands of the COM-PORT-OPTION, as a client sends them; a server answers with the
// number plus comPortServer. Source: RFC 2217.
const (
	comPortBaud    = 1 // four bytes, most significant first
	comPortBits    = 2
	comPortParity  = 3
	comPortStop    = 4
	comPortControl = 5
	comPortSuspend = 8
	comPortResume  = 9
	comPortPurge   = 12

	comPortServer = 100
)

// Values of those commands.
const (
	eightBits = 8
	noParity  = 1
	oneStop   = 1
	purgeBoth = 3

	controlNoFlow = 1
	controlXon    = 2
	controlRTSCTS = 3
	controlDTROn  = 8 // the next one is off
	controlRTSOn  = 11
)

const (
	answerLimit = 2 * time.Second // for a change of the speed
	settleLimit = time.Second     // for word that the lines have moved
)

// comPort is one command of the COM-PORT-OPTION.
func comPort(dst []byte, code byte, value ...byte) []byte {
	return appendTelnetSub(dst, optionComPort, append([]byte{code}, value...)...)
}

// heedComPort takes an answer, or a request to wait. States of the line and the modem
// are told too, and of no interest. mu is held.
func (p *rfc2217Port) heedComPort(code byte, value []byte) {
	switch code {
	case comPortServer + comPortSuspend:
		p.suspended = true
	case comPortServer + comPortResume:
		p.suspended = false
	case comPortServer + comPortControl:
		// The first is about flow control. Later ones are about lines, and not to be
		// relied on: Espressif's server sends none, sredird always the same.
		if _, ok := p.answers[comPortControl]; ok {
			return
		}
		fallthrough
	default:
		p.answers[code-comPortServer] = append([]byte(nil), value...)
	}
}

// configure makes the far port one for a chip: 8N1, no flow control, nothing left in
// its buffers. Every setting that changes bytes has to be answered as it was asked.
func (p *rfc2217Port) configure(limit time.Time, baud int) error {
	settings := []struct {
		code, want byte
		name       string
	}{{comPortBits, eightBits, "8 data bits"}, {comPortParity, noParity, "no parity"}, {comPortStop, oneStop, "1 stop bit"}}
	out := comPort(comPort(nil, comPortPurge, purgeBoth), comPortControl, controlNoFlow)
	for _, s := range settings {
		out = comPort(out, s.code, s.want)
	}
	if err := p.send(out); err != nil {
		return err
	}
	for _, s := range settings {
		answer, err := p.answer(limit, s.code)
		if err != nil {
			return fmt.Errorf("ask for %s: %w", s.name, err)
		}
		if len(answer) == 0 || answer[0] != s.want {
			return fmt.Errorf("%w: it was asked for %s (%d) and answers %d", ErrRFC2217, s.name, s.want, answer)
		}
	}
	p.mu.Lock()
	flow := p.answers[comPortControl]
	p.mu.Unlock()
	if len(flow) > 0 && (flow[0] == controlXon || flow[0] == controlRTSCTS) {
		return fmt.Errorf("%w: it keeps flow control on (%d), which swallows or stops bytes", ErrRFC2217, flow[0])
	}
	err := p.SetBaud(baud)
	if errors.Is(err, ErrBaud) {
		err = fmt.Errorf("%w: %w", ErrRFC2217, err)
	}
	return err
}

// answer waits for the answer to a command that was sent.
func (p *rfc2217Port) answer(limit time.Time, code byte) (value []byte, err error) {
	err = p.await(limit, func() (ok bool) {
		value, ok = p.answers[code]
		return ok
	})
	if errors.Is(err, errTimeout) {
		err = errNoAnswer
	}
	return value, err
}

// errNoAnswer is a command that the server must answer and does not.
var errNoAnswer = fmt.Errorf("%w: no answer", ErrRFC2217)

// answeredBaud is the speed in the latest answer; mu is held.
func (p *rfc2217Port) answeredBaud() (baud int, ok bool) {
	value := p.answers[comPortBaud]
	if len(value) < 4 {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(value)), true // some send more bytes
}

// SetBaud sets the speed of the far port. The server has to answer with that speed, or
// one that is the same to a UART; with another one the error wraps ErrBaud.
func (p *rfc2217Port) SetBaud(baud int) error {
	p.control.Lock()
	defer p.control.Unlock()
	if baud == p.baud {
		return nil
	}
	p.baud = 0
	p.change(func() { delete(p.answers, comPortBaud) })
	if err := p.send(comPort(nil, comPortBaud, binary.BigEndian.AppendUint32(nil, uint32(baud))...)); err != nil {
		return err
	}
	var got int
	var heard bool
	err := p.await(time.Now().Add(answerLimit), func() bool {
		got, heard = p.answeredBaud()
		return heard && (sameBaud(got, baud) || !p.overdue)
	})
	switch {
	case heard && sameBaud(got, baud):
		p.baud, p.overdue = baud, false
		return nil
	case heard && (err == nil || errors.Is(err, errTimeout)):
		return fmt.Errorf("%w: the RFC 2217 server was asked for %d baud and answers %d", ErrBaud, baud, got)
	case errors.Is(err, errTimeout):
		p.overdue = true
		return fmt.Errorf("%w: it was asked for %d baud and does not answer", ErrRFC2217, baud)
	}
	return err
}

// sameBaud reports whether two speeds differ by less than one in a hundred: a server
// may tell what its divider really makes, and a UART bears more.
func sameBaud(a, b int) bool { return max(a-b, b-a)*100 < b }

// SetLines implements Port. It sends what changes only, DTR first, in one piece: that
// keeps the state in between short, and esp_rfc2217_server, which takes a change for
// the beginning of a reset and does the rest on its own, expects it so. See movesApart.
func (p *rfc2217Port) SetLines(dtr, rts bool) error {
	p.control.Lock()
	defer p.control.Unlock()
	lines := [2]byte{controlDTROn, controlRTSOn}
	for i, on := range []bool{dtr, rts} {
		if !on {
			lines[i]++
		}
	}
	var out []byte
	for i, command := range lines {
		if command != p.lines[i] {
			out = comPort(out, comPortControl, command)
		}
	}
	if out == nil {
		return nil
	}
	p.lines = [2]byte{}
	if err := p.send(out); err != nil {
		return fmt.Errorf("%w: set DTR and RTS: %w", ErrLinkLost, err)
	}
	p.lines = lines
	return p.settle()
}

// settle waits until the server has done what it was told: it works in order, so the
// answer to anything will do. It is asked for the eight bits that it has; some servers
// take a question about the speed, which is a speed of 0, for an order. Without this, a
// network that delays one packet and not the next would cut short how long a line is
// held. A server that does not answer is not asked again.
func (p *rfc2217Port) settle() error {
	if p.mute {
		return nil
	}
	p.change(func() { delete(p.answers, comPortBits) })
	err := p.send(comPort(nil, comPortBits, eightBits))
	if err == nil {
		_, err = p.answer(time.Now().Add(settleLimit), comPortBits)
	}
	if errors.Is(err, errNoAnswer) {
		p.mute = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: set DTR and RTS: %w", ErrLinkLost, err)
	}
	return nil
}

// movesApart marks a Port whose lines cannot move in one step.
func (p *rfc2217Port) movesApart() {}
