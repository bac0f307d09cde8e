package flow

import (
	"context"
	"encoding/json"
	"time"

	"provision/internal/records"
)

// Records is all that a run asks of the records. *records.Store satisfies it, and its
// methods say what each of these promises and which errors it may return. What a run
// is told is on record has to be: an act, with the events that tell of it, whole or
// not at all, in the order of the calls.
type Records interface {
	Check(ctx context.Context) (records.Health, error)

	StartRun(ctx context.Context, r records.Run) error
	Append(ctx context.Context, events ...records.Event) (records.Hash, error)
	FinishRun(ctx context.Context, f records.Finish) error
	Runs(ctx context.Context, f records.RunFilter) ([]records.Run, error)
	Attempts(ctx context.Context, mac string) (int, error)

	UnitByMAC(ctx context.Context, mac string) (records.Unit, error)
	UnitBySerial(ctx context.Context, serial string) (records.Unit, error)
	Reserve(ctx context.Context, runID string, u records.Unit, at time.Time) (records.Unit, error)
	Regoal(ctx context.Context, runID string, u records.Unit, goal json.RawMessage, at time.Time) (records.Unit, error)
	Holds(ctx context.Context, run string, unitID int64) error
	Complete(ctx context.Context, c records.Completion, events ...records.Event) error

	ParkingOf(ctx context.Context, mac string) (records.Parking, error)
	Park(ctx context.Context, p records.Parking) error
	Release(ctx context.Context, r records.Release) error

	SealKeys(ctx context.Context, runID string, unitID int64, keys []records.Key, working, escrow, iv []byte, at time.Time) error
	SealedKeys(ctx context.Context, unitID int64) (records.SealedKeys, error)
	MarkVerified(ctx context.Context, runID string, unitID int64, purpose string, at time.Time) error

	IntendBurn(ctx context.Context, b records.BurnIntent, events ...records.Event) (int64, error)
	ObserveBurn(ctx context.Context, o records.Observation, events ...records.Event) error
	Burns(ctx context.Context, unitID int64) ([]records.Burn, error)

	SaveFirmware(ctx context.Context, files []records.Firmware) error
	SaveFacts(ctx context.Context, all []records.Facts) error
	SaveRegion(ctx context.Context, r records.Region, events ...records.Event) error
	Regions(ctx context.Context, unitID int64) ([]records.Region, error)
}

var _ Records = (*records.Store)(nil)
