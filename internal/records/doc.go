// Package records keeps what was done to every unit, in one SQLite file: units,
// runs, key fingerprints and sealed keys, burns (intended and observed), flash
// regions, firmware and what it is (Facts), events, labels; who works at the
// stations and what they did there besides; and what a station has done in a shift
// (Counts). It makes "one serial, one MAC, one key" a constraint, and makes
// tampering show: every row that counts is entered in a ledger whose entries are
// chained by SHA-256 (ledger.go, Verify).
//
// It does not know chips, fuses' meanings, serial ports, profiles, the order of
// work, or how a sealed key is opened: sealed keys are opaque bytes here, and
// the words of a key block are refused (ErrKeyWords). Of badges and PINs it has
// digests, and does not know how to check one. It reads no clock: times are passed
// in and kept in UTC.
//
// What a method returned nil for is on disk: WAL with synchronous=FULL, each
// method one transaction. Methods are safe for concurrent use; several
// processes may share one file.
package records
