package esptool

// Telnet options. Source: RFC 856 (BINARY), RFC 858 (SUPPRESS-GO-AHEAD), RFC 2217
// (COM-PORT-OPTION). Any other, such as ECHO, is refused.
const (
	optionBinary  = 0  // bytes cross as they are; without it, CR and what follows do not
	optionGoAhead = 3  // both sides may send at any time
	optionComPort = 44 // the serial port can be set up
)

// agreement is how far two sides have come about an option in one direction.
type agreement byte

const (
	undecided agreement = iota
	asked               // by us; no answer yet
	agreed
	ruledOut // refused or taken back by one of them: final
)

// telnetOptions is what was agreed on: ours is what we do (our WILL, their DO),
// theirs what they do.
//
// A settled option is not answered again, so that no two sides can go on agreeing
// for ever. That goes further than RFC 854: an option that was ruled out stays so.
type telnetOptions struct {
	ours, theirs map[byte]agreement
}

func newTelnetOptions() telnetOptions {
	return telnetOptions{map[byte]agreement{}, map[byte]agreement{}}
}

// ask returns the opening of the negotiation, in which we ask for what we need.
func (o telnetOptions) ask() []byte {
	o.ours[optionComPort] = asked
	out := []byte{telnetIAC, telnetWILL, optionComPort}
	for _, option := range []byte{optionBinary, optionGoAhead} {
		o.ours[option], o.theirs[option] = asked, asked
		out = append(out, telnetIAC, telnetWILL, option, telnetIAC, telnetDO, option)
	}
	return out
}

// hear takes a WILL, WONT, DO or DONT of the other side and returns our answer, nil
// when there is nothing to say.
func (o telnetOptions) hear(verb, option byte) (answer []byte) {
	side, yes, no := o.ours, byte(telnetWILL), byte(telnetWONT)
	if verb == telnetWILL || verb == telnetWONT {
		side, yes, no = o.theirs, telnetDO, telnetDONT
	}
	was := side[option]
	switch wanted := verb == telnetWILL || verb == telnetDO; {
	case wanted && was == asked:
		side[option] = agreed
	case wanted && was == undecided && useful(option):
		side[option] = agreed
		return []byte{telnetIAC, yes, option}
	case wanted && was == undecided, !wanted && was == agreed:
		side[option] = ruledOut
		return []byte{telnetIAC, no, option}
	case !wanted:
		side[option] = ruledOut
	}
	return nil
}

// useful reports whether we agree to an option when the other side asks.
func useful(option byte) bool {
	return option == optionBinary || option == optionGoAhead || option == optionComPort
}

// comPort reports whether the port can be set up: some servers offer to instead of
// agreeing to our offer.
func (o telnetOptions) comPort() bool {
	return o.ours[optionComPort] == agreed || o.theirs[optionComPort] == agreed
}

// refuses returns the name of an option that we cannot do without and that was ruled
// out, "" when there is none. Silence about BINARY is no refusal: small servers that
// change no byte do not know the option.
func (o telnetOptions) refuses() string {
	switch {
	case o.ours[optionComPort] == ruledOut || o.theirs[optionComPort] == ruledOut:
		return "COM-PORT-OPTION"
	case o.ours[optionBinary] == ruledOut || o.theirs[optionBinary] == ruledOut:
		return "BINARY"
	}
	return ""
}
