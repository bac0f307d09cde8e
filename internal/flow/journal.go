package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"provision/internal/fault"
	"provision/internal/records"
)

// An event is shown when it is on record and not before. One disk sync takes what
// belongs together: an intent, an observation, a region or PASS with the event that
// tells of it, the end of a step with the beginning of the next. Nothing is burnt, and
// no flash written, while an event waits.

// show shows an event that is not kept (step.progress, boot.line): it is no history,
// and a disk sync for each would cost more than they are worth. It has no Seq.
func (r *runner) show(ev Event) { r.cfg.Sink(r.stamped(ev)) }

// emit records ev, then shows it. An event that cannot be recorded stops the run, and
// never happened: what it tells of is then not done. Events are recorded to the end even
// when the run is being interrupted.
func (r *runner) emit(ctx context.Context, ev Event) error {
	r.note(ev)
	begun := r.cfg.Now()
	if err := r.flush(ctx); err != nil {
		r.takeBack()
		return err
	}
	return r.tooLate(ctx, ev.Step, begun)
}

// stall is how long a call of the records has to take before it, and not what it was
// made for, is to blame when the time of a burn is over.
const stall = 15 * time.Second

// tooLate is the error of a step that has no time left, since the records took it: the
// unit and its line, which nobody could ask in that time, are not to blame.
func (r *runner) tooLate(ctx context.Context, step string, begun time.Time) error {
	took := r.cfg.Now().Sub(begun)
	if took < stall || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return fault.New(fault.Database, step, fmt.Errorf("on record after %v, too late to go on: %w", took, records.ErrBusy))
}

// busyPause is between two tries at records that are busy.
const busyPause = 100 * time.Millisecond

// patient does an act on the records. When the unit's download mode is closed, giving up
// would leave a unit that only a person can complete: so it tries again while the records
// are busy, which says that nothing is written, for as long as the step has time.
func (r *runner) patient(ctx context.Context, act func() error) error {
	_, bounded := ctx.Deadline()
	for {
		err := act()
		busy := errors.Is(err, records.ErrBusy) && !errors.Is(err, records.ErrNotScrubbed)
		if !busy || !bounded || r.words.Field("UART_DOWNLOAD_DIS") == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(busyPause):
		}
	}
}

// takeBack forgets the event that was noted last.
func (r *runner) takeBack() {
	r.pending = r.pending[:len(r.pending)-1]
	r.seq--
}

// note keeps ev for the next act or flush.
func (r *runner) note(ev Event) {
	ev = r.stamped(ev)
	r.seq++
	ev.Seq = r.seq
	r.pending = append(r.pending, ev)
}

func (r *runner) stamped(ev Event) Event {
	ev.Time, ev.Run, ev.Slot = r.cfg.Now().UTC(), r.cfg.RunID, r.cfg.Slot
	if ev.MAC == "" {
		ev.MAC = r.mac
	}
	if ev.Serial == "" {
		ev.Serial = r.told()
	}
	return ev
}

// flush puts what was noted on record and shows it.
func (r *runner) flush(ctx context.Context) error {
	if len(r.pending) == 0 {
		return nil
	}
	if r.recorded {
		rows, err := r.rows()
		if err == nil {
			err = r.patient(ctx, func() error {
				_, err := r.cfg.Records.Append(context.WithoutCancel(ctx), rows...)
				return err
			})
		}
		if err != nil {
			return asFault(r.pending[len(r.pending)-1].Step, err, fault.Database)
		}
	}
	r.showNoted()
	return nil
}

// with does an act on the records that ev tells of. The act takes the rows it is given
// into its own transaction: all of it is on disk, or none is, and then ev never happened.
func (r *runner) with(ev Event, act func(rows []records.Event) error) error {
	r.note(ev)
	rows, err := r.rows()
	if err == nil {
		err = act(rows)
	}
	if err != nil {
		r.takeBack()
		return err
	}
	r.showNoted()
	return nil
}

// showNoted shows what has just been recorded.
func (r *runner) showNoted() {
	noted := r.pending
	r.pending = nil
	for _, ev := range noted {
		r.cfg.Sink(ev)
	}
}

// rows are the events that wait, as the records keep them.
func (r *runner) rows() ([]records.Event, error) {
	rows := make([]records.Event, len(r.pending))
	for i, ev := range r.pending {
		body, err := json.Marshal(ev)
		if err != nil {
			return nil, asFault(ev.Step, err, fault.Internal)
		}
		rows[i] = records.Event{
			RunID: ev.Run, Seq: ev.Seq, Time: ev.Time, Slot: ev.Slot, Kind: ev.Kind, Step: ev.Step,
			Code: string(ev.Code), UnitMAC: ev.MAC, Serial: ev.Serial, Body: body,
		}
	}
	return rows, nil
}

// warn reports something that does not stop the run.
func (r *runner) warn(ctx context.Context, step, text string) error {
	return r.emit(ctx, Event{Kind: Warning, Step: step, Text: text})
}
