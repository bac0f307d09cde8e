package board

import (
	"provision/internal/fault"
	"provision/internal/shift"
)

// face is how a state looks wherever it is drawn. Word, shape, colour and bell say
// the same: any one of them is enough.
type face struct {
	st    style
	shape string // three columns
	ascii string // the same for terminals without such characters
	mark  string // one column
	plain string // one column of ASCII
	bell  bell
}

// faces has one row for each state. Green is only for PASS, red only for a unit
// that is bad for ever and for a station that stands still.
var faces = map[shift.State]face{
	shift.Off:   {dim, " · ", " . ", "·", ".", silent},
	shift.Ready: {bold, " □ ", "[ ]", "□", "o", silent},
	shift.Scan:  {blue | bold, "║▌│", "|||", "║", "|", once},
	shift.Run:   {amber, " ▸▸", " >>", "▸", ">", silent},
	shift.Hold:  {amber | bold, " ■ ", "!!!", "■", "!", silent},
	shift.Pass:  {green | bold, " ✓ ", " \\/", "✓", "v", high},
	shift.Done:  {grey, "(✓)", "(v)", "=", "=", silent},
	shift.Fail:  {red | bold, " ✗ ", "><>", "✗", "x", double},
	shift.Redo:  {yellow | bold, " ↻ ", "(>)", "↻", "@", silent},
	shift.Park:  {magenta | bold, "▐█▌", "###", "█", "#", repeated},
	shift.Skip:  {grey | dim, " – ", "---", "–", "-", silent},
	shift.Lock:  {red | bold, "▌▲▐", "/!\\", "▲", "^", alarm},
}

// faceOf is the face of a state. One that is not known looks out of use: nobody
// puts a unit in there.
func faceOf(s shift.State) face {
	if f, ok := faces[s]; ok {
		return f
	}
	return faces[shift.Off]
}

func (f face) shapeIn(lk look) string {
	if lk.ascii {
		return f.ascii
	}
	return f.shape
}

func (f face) markIn(lk look) string {
	if lk.ascii {
		return f.plain
	}
	return f.mark
}

// face is how s looks. A unit that only waits for the start of the job or for
// somebody to sign in is no reason for alarm: it looks like a slot that waits.
func (s slot) face(m model) face {
	switch {
	case s.waitsForJob(m):
		f := faceOf(shift.Ready)
		f.st = dim
		return f
	case s.waitsForBadge(m):
		return faceOf(shift.Scan)
	}
	return faceOf(s.state)
}

// bar is the style of the row that bears the word of a state: inverse, so that it
// is seen from afar, but for slots without a unit that is ours: 24 empty ones must
// not outshine one verdict. While a unit must
// not be touched, the row changes between inverse and bold: the word is always
// there.
func (s slot) bar(m model) style {
	f := s.face(m)
	switch {
	case s.state == shift.Off || s.state == shift.Skip || s.state == shift.Ready:
		return f.st
	case s.waitsForJob(m):
		return dim
	case s.state == shift.Hold && m.blink():
		return f.st
	}
	return f.st | inverse
}

// waitsForJob reports whether s would work, were the job started.
func (s slot) waitsForJob(m model) bool {
	return !m.job.Armed && (s.state == shift.Ready || s.state == shift.Lock && s.code == fault.NotArmed)
}

// waitsForBadge reports whether s would work, were somebody signed in.
func (s slot) waitsForBadge(m model) bool {
	return s.state == shift.Lock && s.code == fault.NotAllowed && m.role() == nobody
}

// word is the word of s on its tile.
func (s slot) word(m model, w words) string {
	switch {
	case s.waitsForJob(m):
		return w.Text("tile.waits")
	case s.waitsForBadge(m):
		return w.Text("tile.badge")
	}
	return w.Text("state." + string(s.state))
}
