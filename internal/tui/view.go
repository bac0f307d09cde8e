package tui

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"

	"provision/internal/flow"
)

const (
	barWidth  = 24
	leastBar  = 5 // a shorter bar tells nothing
	stepWidth = 34
	minWidth  = 20
	indent    = "  "
)

// marks are the shapes of the step states: colour never stands alone.
var marks = map[lineState]string{working: ">", passed: "+", skipped: "=", failed: "x", stopped: "-"}

// styles holds the colours of one terminal. Green is only for PASS, red only for
// a permanent failure.
type styles struct {
	plain, pass, fail, park, amber, faint, bold lipgloss.Style
}

func newStyles(r *lipgloss.Renderer) styles {
	return styles{
		plain: r.NewStyle(),
		pass:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("2")),
		fail:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("1")),
		park:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("5")),
		amber: r.NewStyle().Foreground(lipgloss.Color("3")),
		faint: r.NewStyle().Faint(true),
		bold:  r.NewStyle().Bold(true),
	}
}

// render draws m in width columns. It reads only the model. Nothing is cut that a
// person has to know: what does not fit goes on in the next line.
func (m model) render(width int, st styles) string {
	width = max(width, minWidth)
	var b strings.Builder
	put := func(style lipgloss.Style, lines ...string) {
		for _, s := range lines {
			b.WriteString(style.Render(strings.TrimRight(fit(s, width), " ")) + "\n")
		}
	}
	put(st.bold, m.title)
	for _, s := range []string{m.station, m.unit} {
		put(st.plain, flowed(strings.Fields(s), " ", width)...)
	}
	for _, l := range m.lines {
		put(st.line(l.state), l.render(width)...)
	}
	for _, n := range m.notes {
		put(st.amber, flowed(append([]string{"!"}, strings.Fields(n)...), " ", width)...)
	}
	if m.verdict.Kind == "" {
		put(m.workStyle(st), m.renderWork(width)...)
		return b.String()
	}
	b.WriteString("\n")
	put(m.verdictStyle(st), verdictLines(m.verdict, width)...)
	return b.String()
}

// line is the style of a step.
func (st styles) line(s lineState) lipgloss.Style {
	switch s {
	case skipped:
		return st.faint
	case working:
		return st.amber
	}
	return st.plain
}

// render is a step and its note, which goes below it where there is no room beside.
func (l line) render(width int) []string {
	head := indent + marks[l.state] + " " + l.step
	if l.note == "" {
		return []string{head}
	}
	for _, beside := range []string{pad(head, len(indent+"+ ")+stepWidth) + " " + l.note, head + "   " + l.note} {
		if runewidth.StringWidth(beside) <= width {
			return []string{beside}
		}
	}
	out := []string{head}
	for _, s := range flowed(strings.Fields(l.note), " ", width-len(indent)) {
		out = append(out, indent+s)
	}
	return out
}

// renderWork is the bottom line while the run goes on: how far, how long still,
// and whether hands must stay off.
func (m model) renderWork(width int) []string {
	parts := []string{strings.TrimLeft(fmt.Sprintf("%3.0f %%", m.work.Percent), " ")}
	if m.work.Remaining > 0 {
		parts = append(parts, fmt.Sprintf("about %.0f s left", math.Ceil(m.work.Remaining)))
	}
	if m.hands {
		parts = append(parts, "DO NOT REMOVE")
	}
	parts[0] = fmt.Sprintf("%5s", parts[0])
	const gap = "   "
	room := min(barWidth, width-len(indent)-len(strings.Join(parts, gap))-len("[] "))
	if room < leastBar {
		parts[0] = strings.TrimLeft(parts[0], " ")
		return flowed(parts, gap, width)
	}
	filled := min(room, max(0, int(m.work.Percent/100*float64(room))))
	bar := "[" + strings.Repeat("#", filled) + strings.Repeat(".", room-filled) + "] "
	return []string{indent + bar + strings.Join(parts, gap)}
}

func (m model) workStyle(st styles) lipgloss.Style {
	if m.hands {
		return st.amber.Reverse(true)
	}
	return st.plain
}

func verdictLines(ev flow.Event, width int) []string {
	var head []string
	for _, s := range []string{ev.Verdict, ev.Serial, ev.MAC, string(ev.Code)} {
		if s != "" {
			head = append(head, s)
		}
	}
	out := flowed(head, "   ", width)
	for _, s := range []string{ev.Text, ev.Do} {
		out = append(out, flowed(strings.Fields(s), " ", width)...)
	}
	return out
}

// flowed sets parts side by side, and on a new line where there is no room.
func flowed(parts []string, gap string, width int) []string {
	var out []string
	for _, part := range parts {
		if n := len(out); n > 0 && runewidth.StringWidth(out[n-1]+gap+part) <= width {
			out[n-1] += gap + part
			continue
		}
		out = append(out, indent+part)
	}
	return out
}

func (m model) verdictStyle(st styles) lipgloss.Style {
	switch m.verdict.Verdict {
	case "PASS":
		return st.pass
	case "FAIL":
		return st.fail
	case "PARK":
		return st.park
	case "ERROR":
		return st.amber
	}
	return st.bold
}

// fit cuts s to width columns, counting wide characters as two.
func fit(s string, width int) string { return runewidth.Truncate(s, width, "...") }

func pad(s string, width int) string { return runewidth.FillRight(s, width) }
