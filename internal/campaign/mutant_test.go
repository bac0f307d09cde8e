package campaign

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are ways to get the work on a unit wrong, and what the judge has to say of
// the units that come of it.
var mutants = []mutant{
	{"burn without an intent on disk", []edit{
		{"../flow/burn.go", "id, err := r.intend(ctx, step, b, facts)", "id, err := int64(0), error(nil)"},
	}, "I2: BLOCK1 holds bits, and no intent to burn its key is on record"},
	{"burn before seal", []edit{
		{"../flow/keys.go", "if err := r.seal(ctx, name); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\treturn r.reopen(ctx, name)",
			"made, iv, err := r.generate()\n\t\t\tif err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\treturn r.useKeys(newUnitKeys(made, iv))"},
		{"../flow/keys.go", "made, iv, err := r.generate()\n\tif err != nil {\n\t\treturn err\n\t}\n\tdefer made.Wipe()\n", "made, iv := r.keys.unit, r.keys.iv\n"},
		{"../flow/burn.go", "err := r.cfg.Records.MarkVerified(ctx, r.cfg.RunID, r.unit.ID, purposeOf(block), r.cfg.Now())",
			"err := errors.Join(r.seal(ctx, name), r.cfg.Records.MarkVerified(ctx, r.cfg.RunID, r.unit.ID, purposeOf(block), r.cfg.Now()))"},
		{"../records/burn.go", "if err == nil && !sealed {", "if false {"},                                 // the rule of the records
		{"../records/connect.go", `{"foreign_keys", "ON", int64(1)}`, `{"foreign_keys", "OFF", int64(0)}`}, // and the schema's
	}, `I2: "burn BLOCK1" was begun before the key was sealed`},
	{"protect before compare", []edit{
		{"../flow/burn.go", "if err := r.cfg.Records.MarkVerified(ctx, r.cfg.RunID, r.unit.ID, purposeOf(block), r.cfg.Now()); err != nil {", "if err := ctx.Err(); err != nil {"},
	}, "I3: BLOCK1 is protected, and its key is not on record as compared"},
	{"enable before protect", []edit{
		{"../efuse/plan.go", "p.foreign, p.outOfOrder, p.keys, p.cryptConfig, p.secureBoot, p.encryption,", "p.foreign, p.cryptConfig, p.secureBoot, p.keys, p.encryption,"},
		{"../flow/finish.go", "if r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.keySteps(1)...)", "if r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.stageStep(\"burn FLASH_CRYPT_CONFIG\", efuse.StageCryptConfig, 0))\n\t}\n" +
			"\tif r.goal.SecureBootV1 {\n\t\tsteps = append(steps, r.stageStep(\"burn ABS_DONE_0\", efuse.StageSecureBoot, 0))\n\t}\n\tif r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.keySteps(1)...)"},
	}, "I3: a feature is switched on"},
	{"PASS that is never recorded", []edit{
		{"../flow/finish.go", "return r.cfg.Records.Complete(ctx, records.Completion{", "return func(records.Completion, ...records.Event) error { return nil }(records.Completion{"},
	}, "I6: PASS was shown, and \"\" is on record"},
	{"PASS shown before it is recorded", []edit{
		{"../flow/finish.go", "return r.cfg.Records.Complete(ctx, records.Completion{",
			"r.cfg.Sink(r.stamped(Event{Kind: RunFinished, Verdict: string(fault.Pass)}))\n\t\t\treturn r.cfg.Records.Complete(ctx, records.Completion{"},
	}, "I6: PASS was shown, and the unit is not complete on record"},
	{"burn over what somebody else secured", []edit{
		{"../flow/classify.go", "return fault.New(fault.ForeignSecured, step, errors.New(v.Reason))", "return nil"},
	}, "I4: a part that somebody else secured was burnt"},
	{"burn a part that is none for the job", []edit{
		{"../flow/contact.go", "return r.flash.Protection()", "return nil"},
		{"../flow/contact.go", "return fmt.Errorf(\"%w: it has %s, the job needs %s\", errFlash,", "_ = fmt.Errorf(\"%w: it has %s, the job needs %s\", errFlash,"},
	}, "I1: a part that must be refused with E204 was burnt"},
	{"verify flash by what was sent", []edit{
		{"../flow/flash.go", "if sum != g.md5 {", "if sum != g.md5 && false {"},
	}, "I6: PASS, and the flash at"},
	{"shut the door before the last lock", []edit{
		{"../efuse/plan.go", "p.encryption, p.locks, p.freeze, p.downloadMode,", "p.encryption, p.downloadMode, p.locks, p.freeze,"},
		{"../flow/finish.go", "if len(r.goal.Locks) > 0 {", "if r.goal.UARTDownloadDis {\n\t\tsteps = append(steps, r.stageStep(closeDownload, efuse.StageDownloadMode, 0))\n\t}\n\tif len(r.goal.Locks) > 0 {"},
	}, "I3: UART_DOWNLOAD_DIS is burnt before"},
	{"lock a unit that has no bootloader to start", []edit{
		{"../flow/finish.go", "} else {\n\t\tsteps = append(steps, r.heldSteps()...)\n\t}", "}"},
		{"../flow/finish.go", "steps = append(steps, r.proveFlash())", "_ = r.proveFlash"},
		{"../flow/finish.go", "if r.cfg.Job.Profile.BootCheck != nil {", "if !r.goal.ByUnit {\n\t\tsteps = append(steps, r.heldSteps()...)\n\t}\n\tif r.cfg.Job.Profile.BootCheck != nil {"},
	}, `I3: "burn locks" was begun before the flash at 0x1000 was proved`},
	{"switch encryption on in a unit that is plain", []edit{
		{"../efuse/plan.go", "p.behind, p.plain = true, !encrypts(p.have)", "p.behind, p.plain = false, false"},
		{"../flow/finish.go", "steps = append(append(steps, r.convertStep()), r.cipherSteps()...)", "steps = append(steps, r.heldSteps()...)\n\t\t_, _ = r.convertStep, r.cipherSteps"},
	}, `I3: "burn FLASH_CRYPT_CNT" means to burn FLASH_CRYPT_CNT, and the flash is plain`},
	{"let the unit start before its key is locked", []edit{
		{"../flow/hold.go", "return plain && g.Offset == job.BootloaderOffset", "return plain && !r.goal.ByUnit && g.Offset == job.BootloaderOffset"},
	}, "I2: BLOCK2 holds bits, and no intent to burn its key is on record"},
	{"work on a finished unit", []edit{
		{"../flow/classify.go", "if r.unit != nil && r.unit.State == records.StateComplete {", "if false {"},
	}, "I5: a finished unit is not greeted"},
	{"write a finished unit", []edit{
		{"../flow/classify.go", "if err := r.meetsPolicy(); err != nil {", "if err := errors.Join(r.dev.EraseFlash(ctx, 0, 0x1000), r.meetsPolicy()); err != nil {"},
	}, "I5: the flash of a finished unit was written"},
}

// mutant is a change of some source files.
type mutant struct {
	name  string
	edits []edit
	want  string
}

type edit struct{ file, old, new string }

// apply returns the changed files by the absolute names of the ones they replace.
func (m mutant) apply(t *testing.T) map[string]string {
	t.Helper()
	changed := map[string]string{}
	for _, e := range m.edits {
		path, err := filepath.Abs(e.file)
		check(t, err)
		source, ok := changed[path]
		if !ok {
			text, err := os.ReadFile(path)
			check(t, err)
			source = string(text)
		}
		if n := strings.Count(source, e.old); n != 1 {
			t.Fatalf("%s: the line to change is in %s %d times: %s", m.name, e.file, n, e.old)
		}
		changed[path] = strings.Replace(source, e.old, e.new, 1)
	}
	return changed
}

// test lives through some lives with the changed sources, which are nowhere but in a
// temporary folder. Sources that do not build are no mutant: they notice nothing.
func (m mutant) test(t *testing.T) (output string, err error) {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	for path, source := range m.apply(t) {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		check(t, os.WriteFile(replace[path], []byte(source), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	binary := filepath.Join(dir, "campaign.test")
	built, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "-overlay", filepath.Join(dir, "overlay.json"), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, built)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "TestCampaign$", "-test.timeout", "10m")
	cmd.Env = append(os.Environ(), "PROVISION_CAMPAIGN_FIRST=1", fmt.Sprint("PROVISION_CAMPAIGN_UNITS=", unitsOfCI),
		"PROVISION_CAMPAIGN_MEMORY=") // some change the real records
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMutants changes the product as mutants say, one at a time: the campaign has to
// notice, and for the right reason. It compiles for each, so it runs only when asked
// for (docs/evidence.md).
func TestMutants(t *testing.T) {
	if os.Getenv("PROVISION_MUTANTS") == "" {
		t.Skip("compiles the package once per mutant; set PROVISION_MUTANTS=1")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			out, err := m.test(t)
			switch {
			case err == nil:
				t.Error("not noticed")
			case !strings.Contains(out, "--- FAIL: TestCampaign") || !strings.Contains(out, ": "+m.want):
				t.Errorf("noticed, but not as %q:\n%.3000s", m.want, out)
			}
		})
	}
}

// TestMutantsApply: each mutant still finds the lines it changes.
func TestMutantsApply(t *testing.T) {
	for _, m := range mutants {
		m.apply(t)
	}
}
