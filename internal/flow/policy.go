package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/records"
)

// policy is what a unit is begun with, and has to be finished with: kept as the
// goal of its row. Field names are those of the profile.
type policy struct {
	SecureBoot      int      `json:"secure_boot"`
	FlashEncryption bool     `json:"flash_encryption"`
	ByUnit          bool     `json:"encrypted_by_unit,omitempty"`
	CryptCount      uint8    `json:"crypt_count"`
	CryptConfig     uint8    `json:"crypt_config"`
	Lock            []string `json:"lock"`
	Freeze          []string `json:"freeze"`
	UARTDownloadDis bool     `json:"uart_download_dis"`
	Custody         string   `json:"custody"`
	Recipients      []string `json:"recipients,omitempty"` // under escrow: who the kept copy is sealed to
}

// policy is that of the run's profile.
func (r *runner) policy() policy {
	p := r.cfg.Job.Profile
	out := policy{
		SecureBoot: p.SecureBoot.Version, FlashEncryption: p.FlashEncryption.Enabled, ByUnit: p.FlashEncryption.OnDevice,
		CryptCount: p.FlashEncryption.CryptCount(), CryptConfig: p.FlashEncryption.CryptConfig,
		Lock: p.Lock.Burn, Freeze: p.Lock.Freeze, UARTDownloadDis: p.Lock.UARTDownloadDis, Custody: string(p.Keys.Custody),
	}
	if records.Custody(p.Keys.Custody) == records.Escrow {
		out.Recipients = p.Keys.Recipients
	}
	return out.ordered()
}

// ordered is p with its recipients in one order: a profile may name them in any.
func (p policy) ordered() policy {
	p.Recipients = slices.Sorted(slices.Values(p.Recipients))
	return p
}

// sealing reports whether two policies seal the same keys to the same people.
func (p policy) sealing(other policy) bool {
	return p.Custody == other.Custody && fmt.Sprint(p.Recipients) == fmt.Sprint(other.Recipients) &&
		p.SecureBoot == other.SecureBoot && p.FlashEncryption == other.FlashEncryption
}

// differs names the fields in which two policies differ.
func (p policy) differs(other policy) (names []string) {
	a, b := reflect.ValueOf(p), reflect.ValueOf(other)
	for i := range a.NumField() {
		x, y := a.Field(i), b.Field(i)
		if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 || reflect.DeepEqual(x.Interface(), y.Interface()) {
			continue
		}
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// samePolicy refuses to finish a unit under another policy than it was begun with:
// what is burnt cannot follow the profile, and what was sealed was sealed to other
// people. Before the first burn a unit may still change to a policy with the same
// keys: the refusal then comes with the goal that it would have.
func (r *runner) samePolicy(ctx context.Context) (change json.RawMessage, refusal error) {
	const step = "classify"
	var begun policy
	if err := json.Unmarshal(r.unit.Goal, &begun); err != nil {
		return nil, fault.New(fault.Database, step, fmt.Errorf("the policy that %s was begun with cannot be read: %w", r.unit.Serial, err))
	}
	begun = begun.ordered()
	now := r.policy()
	names := now.differs(begun)
	if len(names) == 0 {
		return nil, nil
	}
	refusal = fault.New(fault.BegunOtherwise, step, fmt.Errorf(
		"%s was begun with another policy than this profile has (%s differs): that of %s",
		r.unit.Serial, strings.Join(names, ", "), r.begunWith(ctx)))
	if !now.sealing(begun) {
		return nil, refusal
	}
	change, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	return change, refusal
}

// begunWith names the profile of the last run that took the unit up: it had the unit's
// policy, or gave it its own. One that was edited since has the name of this run's, and
// is told apart by when it was used and by its digest.
func (r *runner) begunWith(ctx context.Context) string {
	runs, err := r.cfg.Records.Runs(ctx, records.RunFilter{UnitID: r.unit.ID, Limit: 1})
	if err != nil || len(runs) == 0 {
		return "the profile it was begun with"
	}
	last := runs[0]
	if last.ProfileName != r.cfg.Job.Profile.Path {
		return last.ProfileName
	}
	return fmt.Sprintf("%s as it was on %s (SHA-256 %.8s)", last.ProfileName, last.StartedAt.Format(time.DateOnly), last.ProfileSHA256)
}

// meetsPolicy asks of a finished unit whether its fuses are what this profile
// asks for. The keys are locked, so that the question needs no keys.
func (r *runner) meetsPolicy() error {
	left, err := efuse.Plan(r.words, r.goal, efuse.ProvenFromJournal(true, true))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s not burnt", strings.Join(left[0].Fields(), ", "))
	}
	if err != nil {
		return fault.New(fault.OtherPolicy, "classify", fmt.Errorf("%s was finished under another policy: %w", r.unit.Serial, err))
	}
	return nil
}
