package flow

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"provision/internal/fault"
	"provision/internal/records"
	"provision/internal/station"
)

// nextSerial takes the next unused serial number of the profile's own source.
// Where a person or a script has to give it, its absence is an input error.
func (r *runner) nextSerial(ctx context.Context) (string, error) {
	rule := r.cfg.Job.Profile.Unit.Serial
	switch rule.Source {
	case station.SourceSequence:
		return r.fromSequence(ctx, rule)
	case station.SourceList:
		return r.fromList(ctx, rule)
	}
	return "", fault.New(fault.SerialMissing, "serial", fmt.Errorf("give it with --serial (the unit is %s)", r.mac))
}

// fromSequence finds the first free number. Numbers are used without gaps, so the
// first free one is found by doubling and halving.
func (r *runner) fromSequence(ctx context.Context, rule station.SerialRule) (string, error) {
	used := func(i uint64) (bool, error) {
		s, err := rule.InSequence(i)
		if err != nil {
			return false, err
		}
		return r.used(ctx, s)
	}
	var low, high uint64 // everything below low is used, high is free
	for {
		taken, err := used(high)
		if err != nil {
			return "", asFault("serial", err, fault.SerialForm)
		}
		if !taken {
			break
		}
		low, high = high+1, 2*high+1
	}
	for low < high {
		mid := low + (high-low)/2
		taken, err := used(mid)
		if err != nil {
			return "", asFault("serial", err, fault.SerialForm)
		}
		if taken {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return rule.InSequence(low)
}

// fromList finds the first line of the list that is not used yet.
func (r *runner) fromList(ctx context.Context, rule station.SerialRule) (string, error) {
	f, err := os.Open(rule.File)
	if err != nil {
		return "", fault.New(fault.FileMissing, "serial", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		s := strings.TrimSpace(lines.Text())
		if s == "" || strings.HasPrefix(s, "#") {
			continue
		}
		if err := rule.Check(s); err != nil {
			return "", fault.New(fault.SerialForm, "serial", fmt.Errorf("%s: %q: %w", rule.File, s, err))
		}
		taken, err := r.used(ctx, s)
		if err != nil {
			return "", asFault("serial", err, fault.Database)
		}
		if !taken {
			return s, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fault.New(fault.FileMissing, "serial", err)
	}
	return "", fault.New(fault.SerialMissing, "serial", fmt.Errorf("every serial number in %s is used", rule.File))
}

func (r *runner) used(ctx context.Context, serial string) (bool, error) {
	if r.cfg.Records == nil {
		return false, nil
	}
	_, err := r.cfg.Records.UnitBySerial(ctx, serial)
	if errors.Is(err, records.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
