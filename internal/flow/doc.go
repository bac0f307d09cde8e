// Package flow knows the whole story of one unit: the order of work from first
// contact to verdict, what is written down before each irreversible act, how a
// run that was cut short is taken up again, and which fault code a failure has.
// It is the only place that turns errors of the leaves into faults.
//
// It does not know flags, screens, profiles' syntax, SQL, registers or bytes on
// the wire. Clock, randomness, the port and the records come in from outside, so
// a run can be repeated from a seed.
//
// Order of work: docs/order.md. What must always hold: a fuse is burnt only
// after everything checkable was checked, after its intent is on disk, and by
// steps that read the chip to find out what is left to do.
package flow
