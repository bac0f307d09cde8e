package fault

import (
	"errors"
	"fmt"
)

// Code is a published fault code: "E" and three digits. The first digit is the
// class, see Class.
type Code string

// Fault is an error with a code for the operator and a cause for the engineer.
// It is an error value like any other: errors.Is and errors.As see the cause.
type Fault struct {
	Code  Code
	Step  string // name of the step that failed; empty outside of a run
	Cause error  // nil when the code says everything
}

// New returns a Fault as an error. cause may be nil.
func New(code Code, step string, cause error) error {
	return &Fault{Code: code, Step: step, Cause: cause}
}

// Error gives "E301 burn BLOCK1: cause"; without a step "E301: cause". A fault
// without a cause says the sentence of its page instead.
func (f *Fault) Error() string {
	head := string(f.Code)
	if f.Step != "" {
		head += " " + f.Step
	}
	if f.Cause != nil {
		return fmt.Sprintf("%s: %v", head, f.Cause)
	}
	if page, ok := Lookup(f.Code); ok {
		return fmt.Sprintf("%s: %s", head, page.Says)
	}
	return head
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// CodeOf returns the code of the outermost Fault in err's tree. An error that
// nobody gave a code is Internal: it must not look like a known condition. The
// code of a nil error is the empty Code.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var f *Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return Internal
}
