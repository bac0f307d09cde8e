package shift

import (
	"provision/internal/fault"
)

// Fault is a code with its sentences, as events carry them.
type Fault struct {
	Code fault.Code
	Text string // what happened: the code's own sentence, one that says more, or a word of the catalogue
	Do   string
}

// faultOf is the fault of a code's page.
func faultOf(code fault.Code) Fault {
	page, _ := fault.Lookup(code)
	return Fault{Code: code, Text: page.Says, Do: page.Do}
}

// with replaces what is said.
func (f Fault) with(text string) Fault {
	f.Text = text
	return f
}

// on puts the fault into an event.
func (f Fault) on(ev Event) Event {
	ev.Code, ev.Text, ev.Do = f.Code, f.Text, f.Do
	return ev
}
