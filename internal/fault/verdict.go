package fault

// Verdict is the word a run or a command ends with. FAIL, ERROR and PARK are
// never mixed: they are counted apart and send the unit to different places.
type Verdict string

const (
	Pass  Verdict = "PASS"  // observed good, recorded
	Done  Verdict = "DONE"  // was complete before we came; nothing was written
	Fail  Verdict = "FAIL"  // the unit is bad, or a check said no
	Input Verdict = "INPUT" // wrong usage, profile or input; no unit was changed
	Error Verdict = "ERROR" // the station or the link is bad; the unit is not to blame
	Park  Verdict = "PARK"  // a person must decide
)

// Exit codes of the command line. Scripts depend on them: they do not change.
const (
	ExitOK          = 0
	ExitFail        = 1
	ExitInput       = 2
	ExitError       = 3
	ExitPark        = 4
	ExitInterrupted = 130 // as a shell reports SIGINT
)

// ExitCode returns the process exit code of v. A word that is not a verdict is
// a defect of ours and exits as ERROR.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass, Done:
		return ExitOK
	case Fail:
		return ExitFail
	case Input:
		return ExitInput
	case Park:
		return ExitPark
	}
	return ExitError
}

// VerdictOf returns the verdict that err leads to: PASS for nil, that of its
// code's page otherwise. A code without a page is ERROR.
func VerdictOf(err error) Verdict {
	if err == nil {
		return Pass
	}
	page, ok := Lookup(CodeOf(err))
	if !ok {
		return Error
	}
	return page.Verdict
}

// ExitCode returns the process exit code for err. Interrupted exits as a shell
// expects of a program stopped by Ctrl-C, everything else by its verdict.
func ExitCode(err error) int {
	if CodeOf(err) == Interrupted {
		return ExitInterrupted
	}
	return VerdictOf(err).ExitCode()
}
