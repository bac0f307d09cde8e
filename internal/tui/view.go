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
	stepWidth = 34
	minWidth  = 40
)

// marks are the shapes of the four step states: colour never stands alone.
var marks = map[lineState]string{working: ">", passed: "+", skipped: "=", failed: "x"}

// styles holds the colours of one terminal. Green is only for PASS, red only for
// a permanent failure.
type styles struct {
	pass, fail, park, amber, faint, bold lipgloss.Style
}

func newStyles(r *lipgloss.Renderer) styles {
	return styles{
		pass:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("2")),
		fail:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("1")),
		park:  r.NewStyle().Bold(true).Foreground(lipgloss.Color("5")),
		amber: r.NewStyle().Foreground(lipgloss.Color("3")),
		faint: r.NewStyle().Faint(true),
		bold:  r.NewStyle().Bold(true),
	}
}

// render draws m in width columns. It reads only the model.
func (m model) render(width int, st styles) string {
	width = max(width, minWidth)
	var b strings.Builder
	put := func(s string) { b.WriteString(s + "\n") }
	put(st.bold.Render(fit(m.title, width)))
	if m.unit != "" {
		put(fit("  "+m.unit, width))
	}
	for _, l := range m.lines {
		put(m.renderLine(l, width, st))
	}
	for _, n := range m.notes {
		put(st.amber.Render(fit("  ! "+n, width)))
	}
	if m.verdict.Kind == "" {
		put(m.renderWork(width, st))
		return b.String()
	}
	put("")
	for _, s := range verdictLines(m.verdict) {
		put(m.verdictStyle(st).Render(fit(s, width)))
	}
	return b.String()
}

func (m model) renderLine(l line, width int, st styles) string {
	s := fmt.Sprintf("  %s %s", marks[l.state], pad(l.step, stepWidth))
	if l.note != "" {
		s += " " + l.note
	}
	s = strings.TrimRight(fit(s, width), " ")
	switch l.state {
	case skipped:
		return st.faint.Render(s)
	case working:
		return st.amber.Render(s)
	}
	return s
}

// renderWork is the bottom line while the run goes on: how far, how long still,
// and whether hands must stay off.
func (m model) renderWork(width int, st styles) string {
	filled := min(barWidth, max(0, int(m.work.Percent/100*barWidth)))
	s := fmt.Sprintf("  [%s%s] %3.0f %%", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), m.work.Percent)
	if m.work.Remaining > 0 {
		s += fmt.Sprintf("   about %.0f s left", math.Ceil(m.work.Remaining))
	}
	if m.hands {
		return st.amber.Reverse(true).Render(fit(s+"   DO NOT REMOVE", width))
	}
	return fit(s, width)
}

func verdictLines(ev flow.Event) []string {
	head := "  " + ev.Verdict
	for _, s := range []string{ev.Serial, ev.MAC, string(ev.Code)} {
		if s != "" {
			head += "   " + s
		}
	}
	out := []string{head}
	for _, s := range []string{ev.Text, ev.Do} {
		if s != "" {
			out = append(out, "  "+s)
		}
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
