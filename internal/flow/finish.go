package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/records"
)

// steps is everything that changes the unit or its records, in the one order
// there is (docs/order.md). Key blocks and regions the job does not have are left
// out.
func (r *runner) steps() []Step {
	steps := append([]Step{r.keysStep()}, r.flashSteps()...)
	if r.goal.FlashEncryption {
		steps = append(steps, r.keySteps(1)...)
	}
	if r.goal.SecureBootV1 {
		steps = append(steps, r.keySteps(2)...)
	}
	if r.goal.FlashEncryption {
		steps = append(steps, r.stageStep("burn FLASH_CRYPT_CONFIG", efuse.StageCryptConfig, 0))
	}
	if r.goal.SecureBootV1 {
		steps = append(steps, r.stageStep("burn ABS_DONE_0", efuse.StageSecureBoot, 0))
	}
	if r.goal.ByUnit {
		steps = append(append(steps, r.convertStep()), r.cipherSteps()...)
	} else {
		steps = append(steps, r.heldSteps()...)
	}
	if r.goal.FlashEncryption {
		steps = append(steps, r.stageStep("burn FLASH_CRYPT_CNT", efuse.StageEncryption, 0))
	}
	steps = append(steps, r.proveFlash())
	if len(r.goal.Locks) > 0 {
		steps = append(steps, r.stageStep("burn locks", efuse.StageLocks, 0))
	}
	if r.cfg.Job.Profile.BootCheck != nil {
		steps = append(steps, r.bootStep())
	}
	if len(r.goal.Freeze) > 0 {
		steps = append(steps, r.stageStep("freeze", efuse.StageFreeze, 0))
	}
	record := r.recordStep()
	if r.goal.UARTDownloadDis {
		steps = append(steps, r.closeStep())
		record.Closing = true
	}
	return append(steps, record)
}

// closeStep closes download mode, and not before the flash is on record as PASS asks for
// it: afterwards nobody could write what is missing.
func (r *runner) closeStep() Step {
	s := r.stageStep(closeDownload, efuse.StageDownloadMode, 0)
	check := s.Check
	s.Check = func(ctx context.Context) (State, error) {
		state, err := check(ctx)
		if err == nil && state == Needed {
			err = r.flashOnRecord(ctx)
		}
		return state, err
	}
	return s
}

// closeDownload is the burn after which nobody can ask the chip anything.
const closeDownload = "burn UART_DOWNLOAD_DIS"

// recordStep says PASS: the one place that does.
func (r *runner) recordStep() Step {
	const name = "record"
	return Step{
		Name: name, Fault: fault.Database, Check: always,
		Do: func(ctx context.Context) error {
			if err := r.readWords(ctx); err != nil {
				return err
			}
			left, err := efuse.Plan(r.words, r.goal, r.proven)
			if err != nil {
				return err
			}
			if len(left) > 0 {
				return fault.New(fault.LockMissing, name, fmt.Errorf("%s is still to be burnt", left[0].Name()))
			}
			if err := r.flashOnRecord(ctx); err != nil {
				return err
			}
			return r.pass(ctx, name, finalWords(r.words), "")
		},
	}
}

// pass puts PASS on record with the words that were read last, and forgets the keys.
func (r *runner) pass(ctx context.Context, step string, final []records.BlockWords, reason string) error {
	gone := Event{Kind: KeysDestroyed, Step: step, Keys: r.keys.facts(), Text: r.custodyText()}
	return r.with(gone, func(rows []records.Event) error {
		err := r.patient(ctx, func() error {
			return r.cfg.Records.Complete(ctx, records.Completion{
				UnitID: r.unit.ID, RunID: r.cfg.RunID, At: r.cfg.Now(), FinalWords: final, Reason: reason,
			}, rows...)
		})
		if err != nil && !errors.Is(err, records.ErrNotScrubbed) {
			return err
		}
		r.passed = true
		r.wipe()
		return nil
	})
}

// flashOnRecord holds PASS to its proof: every region of the job is on record as
// compared in this unit. What is not there at this point belongs to files that came since
// the unit was begun.
func (r *runner) flashOnRecord(ctx context.Context) error {
	for i := range r.regions {
		g := &r.regions[i]
		ok, err := r.onRecord(ctx, r.last(g))
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.BegunOtherwise, "", fmt.Errorf(
				"the records do not show that %s at %#x was compared: finish the unit with the files that it was begun with", g.Name, g.Offset))
		}
	}
	return nil
}

func (r *runner) custodyText() string {
	if r.unit.Custody == records.Escrow {
		return "the station's copy of the keys is destroyed; the owner's is kept"
	}
	return "the keys are destroyed; fingerprints are kept"
}

func finalWords(w efuse.Words) []records.BlockWords {
	out := make([]records.BlockWords, len(w))
	for block := range w {
		out[block] = records.BlockWords{Block: block, Words: records.Words(w[block])}
	}
	return out
}

// finish turns how the work ended into a verdict, records it, and tells it.
func (r *runner) finish(ctx context.Context, err error) Result {
	ctx = context.WithoutCancel(ctx)
	res := Result{Verdict: string(fault.Pass), MAC: r.mac, Serial: r.told(), Boot: r.boot}
	switch {
	case r.passed:
		// PASS is on disk. What went wrong after that is a remark.
		res.Text = fmt.Sprintf("%s is secured and recorded.", r.serial)
		if err != nil {
			res.Text += " Afterwards: " + err.Error()
		}
	case errors.Is(err, errComplete):
		res.Verdict = string(fault.Done)
		res.Text = fmt.Sprintf("Already complete as %s; nothing was written.", r.serial)
	case errors.Is(err, errPlanned):
		res.Verdict = verdictPlan
		res.Text = "Dry run: nothing was written."
	default:
		r.explain(&res, r.superseded(ctx, err))
	}
	if told, err := r.conclude(ctx, res); err != nil {
		// The first says what it is called: a verdict on the unit only where it is on
		// record. One that is nowhere is the station's fault before it is the unit's.
		first, second := err, res.Err
		if told || res.Verdict == string(fault.Error) {
			first, second = res.Err, err
		}
		r.explain(&res, errors.Join(first, second))
	}
	r.announce(ctx, res)
	return res
}

// verdictPlan is the verdict of a dry run.
const verdictPlan = "PLAN"

// explain fills in what a failure is called and what to do.
func (r *runner) explain(res *Result, err error) {
	res.Err = err
	res.Code = fault.CodeOf(err)
	res.Exit = fault.ExitCode(err)
	v := fault.VerdictOf(err)
	if v == fault.Input {
		v = fault.Error // the word of the stream; the exit code tells them apart
	}
	res.Verdict = string(v)
	res.Text = err.Error()
	if page, ok := fault.Lookup(res.Code); ok {
		res.Text, res.Do = page.Says, page.Do
	}
}

// superseded is err of a run that has lost its unit to another one meanwhile: what it
// ran into is the other one's doing, and no reason to set the unit aside.
func (r *runner) superseded(ctx context.Context, err error) error {
	if !r.holds || fault.CodeOf(err) == fault.TakenOver {
		return err
	}
	lost := r.cfg.Records.Holds(ctx, r.cfg.RunID, r.unit.ID)
	if !errors.Is(lost, records.ErrTakenOver) {
		return err
	}
	return fault.New(fault.TakenOver, stepOf(err), errors.Join(lost, err))
}

// setAside says whether a unit with that verdict is refused until a person has
// decided: PARK, and a chip whose fuses do not do what they should. A unit that is
// complete is not set aside for what somebody typed or for the profile at hand.
func setAside(res Result) bool {
	switch res.Code {
	case fault.MACKnown, fault.OtherPolicy:
		return false
	case fault.ReadBack, fault.LockMissing, fault.CannotBurn:
		return true
	}
	return res.Verdict == string(fault.Park)
}

// conclude records a verdict other than PASS, and parks the unit where a person
// must decide; one that a person set aside meanwhile stays so for that person's reason.
// told says that the verdict is on record, also beside an error.
func (r *runner) conclude(ctx context.Context, res Result) (told bool, err error) {
	if !r.recorded || r.passed {
		return false, nil
	}
	reason := ""
	if res.Err != nil { // without the code, which is kept beside it
		reason = strings.TrimLeft(strings.TrimPrefix(res.Err.Error(), string(res.Code)), ": ")
	}
	var parked error
	if setAside(res) && r.mac != "" {
		parked = r.cfg.Records.Park(ctx, records.Parking{
			MAC: r.mac, RunID: r.cfg.RunID, Code: string(res.Code), Reason: reason, At: r.cfg.Now(),
		})
	}
	err = r.cfg.Records.FinishRun(ctx, records.Finish{
		RunID: r.cfg.RunID, At: r.cfg.Now(), Verdict: records.Verdict(res.Verdict), Code: string(res.Code), Reason: reason, MAC: r.tried(res),
	})
	told = err == nil
	if told {
		parked = errors.Join(parked, r.usedUp(ctx, res))
	}
	return told, asFault("record", errors.Join(parked, err), fault.Database)
}

// usedUp sets a unit aside that has failed as often as it may. The verdict of this run
// stays what it is; the next contact says why nothing is done.
func (r *runner) usedUp(ctx context.Context, res Result) error {
	mac := r.tried(res)
	if r.cfg.Attempts == 0 || mac == "" || setAside(res) {
		return nil
	}
	n, err := r.cfg.Records.Attempts(ctx, mac)
	if err != nil || n < r.cfg.Attempts {
		return err
	}
	if _, err := r.cfg.Records.ParkingOf(ctx, mac); !errors.Is(err, records.ErrNotParked) {
		return err // set aside already
	}
	reason := fmt.Sprintf("%d runs without success, the last: %s", n, res.Text)
	err = r.cfg.Records.Park(ctx, records.Parking{MAC: mac, RunID: r.cfg.RunID, Code: string(fault.FailedTooOften), Reason: reason, At: r.cfg.Now()})
	if err != nil {
		return err
	}
	return r.warn(ctx, "record", fmt.Sprintf("%s is set aside (%s): %s", cmp.Or(r.told(), mac), fault.FailedTooOften, reason))
}

// tried is the unit that the run counts for: the one that told its MAC, else the one
// that was seen in the slot just before, unless another was found in its place.
func (r *runner) tried(res Result) string {
	if r.mac == "" && res.Code != fault.UnitChanged {
		return r.cfg.MAC
	}
	return r.mac
}

// announce ends the event stream. The verdict is on disk by now, or is not PASS. These
// events are shown whatever becomes of their record: they change no verdict any more,
// and whoever watches has to learn how the run ended.
func (r *runner) announce(ctx context.Context, res Result) {
	if res.Err != nil {
		r.note(Event{Kind: RunFailed, Step: stepOf(res.Err), Code: res.Code, Text: res.Err.Error(), Do: res.Do})
	}
	r.note(Event{Kind: RunFinished, Verdict: res.Verdict, Exit: &res.Exit, Code: res.Code, Text: res.Text, Do: res.Do})
	if r.flush(ctx) != nil {
		r.showNoted()
	}
}

func stepOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Step
	}
	return ""
}
