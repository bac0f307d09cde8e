package shift

// State is what a slot asks of the person in front of it. The set is closed: a
// screen has a word, a colour, a shape and a sound for each.
type State string

// The states of a slot.
const (
	Off   State = "OFF"   // left out: nothing to do
	Ready State = "READY" // put a unit in
	Scan  State = "SCAN"  // a unit waits for its serial number: scan its label
	Run   State = "RUN"   // wait
	Hold  State = "HOLD"  // DO NOT REMOVE: fuses are burnt, or the unit starts for the first time
	Pass  State = "PASS"  // take it out, good
	Done  State = "DONE"  // was finished before; take it out, good; nothing was written
	Fail  State = "FAIL"  // take it out, red bin
	Redo  State = "REDO"  // re-seat it and try again: nobody knows yet whether it is bad
	Park  State = "PARK"  // set it aside, the lead decides
	Skip  State = "SKIP"  // not ours: a unit nobody asked for
	Lock  State = "LOCK"  // call the lead
)

// States are all states, in the order a manual lists them.
func States() []State {
	return []State{Off, Ready, Scan, Run, Hold, Pass, Done, Fail, Redo, Park, Skip, Lock}
}

// Final reports whether the state is a verdict: it stays until the unit is out and
// the next one is there.
func (s State) Final() bool {
	switch s {
	case Pass, Done, Fail, Redo, Park:
		return true
	}
	return false
}
