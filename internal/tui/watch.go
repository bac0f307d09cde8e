package tui

import (
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"provision/internal/flow"
	"provision/internal/mailbox"
	"provision/internal/tui/noquery"
)

// Bubble Tea is initialised by now.
func init() { noquery.Restore() }

// Watch draws a run on the terminal w while its events arrive. The caller sends
// every event to sink and calls stop once the run is over; stop returns when the
// last state stands on the terminal. A terminal that takes nothing delays nobody:
// sink never waits, and stop gives up after a while. Watch reads no keys and
// handles no signals: Ctrl-C stays with the caller.
func Watch(w io.Writer, title string) (sink func(flow.Event), stop func()) {
	p := tea.NewProgram(
		screen{model: model{title: title}, styles: newStyles(lipgloss.NewRenderer(w)), width: 80},
		tea.WithOutput(w), tea.WithInput(nil), tea.WithoutSignalHandler(),
	)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// A terminal that went away is no reason to stop a unit's run.
		_, _ = p.Run()
	}()
	events := mailbox.New(p.Send)
	stop = func() {
		events.Put(stopMsg{})
		events.Close()
		select {
		case <-done:
		case <-time.After(patience):
			p.Kill()
		}
	}
	return func(ev flow.Event) { events.Put(eventMsg(ev)) }, stop
}

// patience is how long a terminal may take to show the last state. One that was
// stopped (Ctrl-S, a stalled connection) never does.
const patience = 3 * time.Second

type (
	eventMsg flow.Event
	stopMsg  struct{}
)

// screen is the Bubble Tea side of the model: it turns messages into apply and
// the model into text.
type screen struct {
	model  model
	styles styles
	width  int
}

func (s screen) Init() tea.Cmd { return nil }

func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case eventMsg:
		s.model = s.model.apply(flow.Event(msg))
	case tea.WindowSizeMsg:
		if msg.Width > 0 { // 0: a terminal that does not know
			s.width = msg.Width
		}
	case stopMsg:
		return s, tea.Quit
	}
	return s, nil
}

func (s screen) View() string { return s.model.render(s.width, s.styles) }
