//go:build unix

// Package cputime knows how much processor time this process has used, for tests and
// benchmarks: a busy machine does not change it, as it does the time on the wall. It
// knows nothing else.
package cputime

import (
	"syscall"
	"time"
)

// Used is what this process has used of all processors so far, in user and system
// time; 0 where the system does not tell.
func Used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
