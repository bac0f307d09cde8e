package flow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are ways to get the order of work wrong that a reviewer might not see.
// Each must be noticed by the tests of this package or of the records: "killed" names
// those that are there for it.
var mutants = []mutant{
	{"I2: burn without an intent on disk",
		"id, err := r.intend(ctx, step, b, facts)", "id, err := int64(0), error(nil)", "TestBeforeEachBurn"},
	{"I2: burn although the intent was refused",
		`return fmt.Errorf("not burning, the intent is not on disk: %w", err)`, `_ = fmt.Errorf`, "TestRecordsRefuse"},
	{"I2: commit without a sync",
		`{"synchronous", "FULL", int64(2)}`, `{"synchronous", "OFF", int64(0)}`, "TestStorage/power_cut,_nothing_unsynced_survives"},
	{"I2: an intent for a key that is not sealed",
		"if err == nil && !sealed {", "if false {", "TestIntendBurnRefuses"},
	{"I4: two runs burn one unit",
		"if lost == nil && holder != run {", "if false {", "TestTwoStationsOneUnit|TestStopsAtTheNextPiece|TestGoalIsTheOneBurnt"},
	{"I4: a run that has lost its unit writes on",
		"if again {\n\t\t\treturn r.mayWrite(ctx)\n\t\t}\n\t\treturn r.isMine(ctx)", "return nil", "TestStopsAtTheNextPiece|TestOvertakenInsideAWrite"},
	{"I4: burn another policy than the one on record",
		"if err == nil && len(u.Goal) > 0 && !bytes.Equal(u.Goal, open.Goal) {", "if bytes.Equal(u.Goal, []byte{0}) {", "TestGoalIsTheOneBurnt"},
	{"I9: blame the line for records that hang",
		"if took < stall || !errors.Is(ctx.Err(), context.DeadlineExceeded) {", "if took >= 0 || !errors.Is(ctx.Err(), context.DeadlineExceeded) {", "TestRecordsStall"},
	{"I2: go on with keys that were not sealed",
		"if err := r.seal(ctx, name); err != nil {", "if err := r.reopen(ctx, name); err != nil {", "TestPass|TestBeforeEachBurn"},
	{"I3: hide a key that the records do not have as compared",
		"if err := r.cfg.Records.MarkVerified(ctx, r.cfg.RunID, r.unit.ID, purposeOf(block), r.cfg.Now()); err != nil {",
		"if err := ctx.Err(); err != nil {", "TestBeforeEachBurn"},
	{"I3: believe a key without comparing it",
		"proof, err := efuse.Compare(r.words, block, r.keyBlock(block))\n\t\t\tif err != nil {",
		"proof, err := efuse.ProvenFromJournal(true, true), ctx.Err()\n\t\t\tif err != nil {", "TestWeakFuses"},
	{"I3: write flash after the keys are locked",
		"if r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.keySteps(1)...)",
		"if r.goal.FlashEncryption {\n\t\tsteps = append(append(steps[:1:1], r.keySteps(1)...), r.flashSteps()...)", "TestOrder"},
	{"I3: ABS_DONE_0 after FLASH_CRYPT_CNT",
		"if r.goal.SecureBootV1 {\n\t\tsteps = append(steps, r.stageStep(\"burn ABS_DONE_0\"",
		"if r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.stageStep(\"burn FLASH_CRYPT_CNT\", efuse.StageEncryption, 0))\n\t}\n\tif r.goal.SecureBootV1 {\n\t\tsteps = append(steps, r.stageStep(\"burn ABS_DONE_0\"", "TestOrder"},
	{"I3: shut the doors without a second look at flash",
		"steps = append(steps, r.proveFlash())", "_ = r.proveFlash", "TestFlashChangesUnderUs"},
	{"I3: let a plain bootloader start before its key is locked",
		"plain := r.goal.SecureBootV1 && !r.goal.FlashEncryption || r.goal.ByUnit", "plain := r.goal.ByUnit", "TestOrder|TestPowerCut"},
	{"I3: let a unit that is to encrypt itself start before its keys are locked",
		"plain := r.goal.SecureBootV1 && !r.goal.FlashEncryption || r.goal.ByUnit", "plain := r.goal.SecureBootV1 && !r.goal.FlashEncryption", "TestOrder|TestPowerCut"},
	{"I2: let a plain bootloader start while it burns ABS_DONE_0 by itself",
		"if r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.stageStep(\"burn FLASH_CRYPT_CONFIG\"",
		"if !r.goal.ByUnit {\n\t\tsteps = append(steps, r.heldSteps()...)\n\t}\n\tif r.goal.FlashEncryption {\n\t\tsteps = append(steps, r.stageStep(\"burn FLASH_CRYPT_CONFIG\"",
		"TestPlainBootloaderBurnsNothing"},
	{"I2: have the unit burn without an intent on disk",
		"id, err := r.intend(ctx, letEncrypt, b, facts)", "id, err := int64(0), error(nil)", "TestBeforeEachBurn"},
	{"I3: start a unit whose flash nobody looked at again",
		"if err := r.provePlain(ctx); err != nil {", "if err := ctx.Err(); err != nil {", "TestPlainChangesUnderUs"},
	{"I2: make a unit startable before it is on record what it will burn",
		"id, err := r.intend(ctx, letEncrypt, b, facts)", "if err := r.makeStartable(ctx); err != nil {\n\t\treturn err\n\t}\n\tid, err := r.intend(ctx, letEncrypt, b, facts)", "TestIntentBeforeTheHeader"},
	{"I4: go on from flash that is half converted",
		"if g.plain != nil && !r.words.Encrypted() {", "if g.plain != nil && r.words.Field(\"DISABLE_DL_CACHE\") == 0 {", "TestPowerCutInFlash|TestCutInUnitsCounter"},
	{"I6: take what the unit made of its flash as it is",
		"steps = append(append(steps, r.convertStep()), r.cipherSteps()...)", "steps = append(steps, r.convertStep())\n\t\t_ = r.cipherSteps", "TestOrder|TestPass"},
	{"I4: a second key for a unit that has one",
		"if err := r.openKeys(ctx); err != nil {\n\t\treturn asFault(\"classify\",", "if err := ctx.Err(); err != nil {\n\t\treturn asFault(\"classify\",", "TestPowerCutInBurn"},
	{"I4: park a key that is whole and not yet compared",
		"return efuse.Preview(r.words, r.goal, r.proven)", "return efuse.Plan(r.words, r.goal, r.proven)", "TestKeyNotComparedYet"},
	{"I4: an interruption cuts a burn off from its records",
		"context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.Limit, BurnLimit))", "context.WithTimeout(ctx, cmp.Or(s.Limit, BurnLimit))", "TestInterruptedInBurn"},
	{"I3: take a bit that a cut left half burnt for burnt",
		"r.weak = marginal", "_ = marginal", "TestMarginalAfterACut"},
	{"I4: blame a unit for what two were heard to say",
		"r.finish(ctx, r.whose(ctx, err))", "r.finish(ctx, err)", "TestUnitChangedWhileItIsClassified"},
	{"I5: work on a complete unit",
		"if r.unit != nil && r.unit.State == records.StateComplete {", "if false {", "TestDone"},
	{"I5: greet whatever claims a complete unit's MAC",
		"if final[block][i]&^r.words[block][i] != 0 {", "if i > 7 {", "TestAnotherChipUnderTheSameMAC"},
	{"I6: PASS without the app seen",
		"if r.cfg.Job.Profile.BootCheck != nil {", "if false {", "TestDoesNotStart"},
	{"I6: PASS that is not on record",
		"if err != nil && !errors.Is(err, records.ErrNotScrubbed) {", "if errors.Is(err, records.ErrNotFound) {", "TestRecordsRefuse"},
	{"I6: verify flash by what was sent",
		"if sum != g.md5 {", "if sum != g.md5 && false {", "TestWornFlash|TestFlashChangesUnderUs"},
	{"I7: take over a serial number",
		"case err == nil:\n\t\t\treturn fault.New(fault.SerialUsed", "case err == nil && false:\n\t\t\treturn fault.New(fault.SerialUsed", "TestOneSerialOneMAC"},
}

// mutant is one change of a source file.
type mutant struct {
	name     string
	old, new string
	killed   string // by which tests: their full names, between them "|"
}

// file is the one source file, of this package or the records, that has the line to be
// changed.
func (m mutant) file(t *testing.T) (path, source string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	check(t, err)
	stored, err := filepath.Glob("../records/*.go")
	check(t, err)
	found := 0
	for _, name := range append(files, stored...) {
		text, err := os.ReadFile(name)
		check(t, err)
		if n := strings.Count(string(text), m.old); n > 0 && !strings.HasSuffix(name, "_test.go") {
			found += n
			path, source = name, string(text)
		}
	}
	if found != 1 {
		t.Fatalf("%s: the line to change is there %d times: %s", m.name, found, m.old)
	}
	return path, source
}

// test runs the tests against the changed source, which is nowhere but in a temporary
// folder, and returns what they said. A source that does not build is no mutant: it
// notices nothing.
func (m mutant) test(t *testing.T) (output string) {
	t.Helper()
	path, source := m.file(t)
	here, err := filepath.Abs(path)
	check(t, err)
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, filepath.Base(path)), filepath.Join(dir, "overlay.json")
	check(t, os.WriteFile(changed, []byte(strings.Replace(source, m.old, m.new, 1)), 0o600))
	check(t, os.WriteFile(overlay, mustJSON(t, map[string]any{"Replace": map[string]string{here: changed}}), 0o600))
	built, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", dir, "-overlay", overlay, ".", "../records").CombinedOutput()
	if err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, built)
	}
	run := "^(" + strings.ReplaceAll(m.killed, "/", ")$/^(") + ")$"
	for pkg, tests := range map[string]string{".": "flow.test", "../records": "records.test"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, tests), "-test.run", run, "-test.timeout", "10m")
		cmd.Dir = pkg
		out, _ := cmd.CombinedOutput() // how it ended is in what it says
		output += string(out)
	}
	return output
}

// noticed says whether one of the tests that are there for it has failed.
func (m mutant) noticed(output string) bool {
	for name := range strings.SplitSeq(m.killed, "|") {
		if strings.Contains(output, "--- FAIL: "+name+" (") {
			return true
		}
	}
	return false
}

// TestMutants changes the flow as mutants say, one at a time, and runs the tests
// that are there to notice. It compiles the package once for each, so it runs only
// when asked for (docs/evidence.md).
func TestMutants(t *testing.T) {
	if os.Getenv("PROVISION_MUTANTS") == "" {
		t.Skip("compiles the package once per mutant; set PROVISION_MUTANTS=1")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if out := m.test(t); !m.noticed(out) {
				t.Errorf("not noticed by %s:\n%.3000s", m.killed, out)
			}
		})
	}
}

// TestMutantsApply: each mutant still finds the line it changes, and the tests that are
// there for it still have those names.
func TestMutantsApply(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "../records/*_test.go"} {
		files, err := filepath.Glob(pattern)
		check(t, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			check(t, err)
			tests.Write(text)
		}
	}
	for _, m := range mutants {
		m.file(t)
		for name := range strings.SplitSeq(m.killed, "|") {
			if top, _, _ := strings.Cut(name, "/"); !strings.Contains(tests.String(), "\nfunc "+top+"(t *testing.T)") {
				t.Errorf("%s: there is no %s", m.name, top)
			}
		}
	}
}
