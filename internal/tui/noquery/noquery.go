// Package noquery keeps Bubble Tea from asking the terminal for its background
// colour while the program is loading. Bubble Tea v1 does so in an init function,
// in every program that links it, whatever the program is about to do: it waits
// five seconds for a terminal that does not answer, and swallows what a scanner
// has typed ahead.
//
// The question is not asked where the variable CI is set, so this package sets it
// for as long as packages are being initialised. That works because Go
// initialises, of the packages whose imports are ready, the first by path (Go
// specification, "Program initialization"): this one needs nothing but syscall,
// and so comes before time, without which Bubble Tea cannot be ready.
package noquery

import "syscall"

const variable = "CI"

var _, was = syscall.Getenv(variable)

func init() {
	if !was {
		// Where it cannot be set, the terminal is asked: slow, not wrong.
		_ = syscall.Setenv(variable, "1")
	}
}

// Restore puts the environment back. It is to be called once Bubble Tea has been
// initialised, before anything else looks at the environment.
func Restore() {
	if !was {
		_ = syscall.Unsetenv(variable)
	}
}
