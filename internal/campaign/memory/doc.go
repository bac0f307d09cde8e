// Package memory keeps the records of a campaign in maps and slices instead of a
// database: a million simulated units cost what the work on them costs, and not what
// SQLite does. It keeps the rules of package records, by the same names and with the
// same errors, for the calls that a run makes (flow.Records), and gives every row that
// is written its place in one order, as the ledger does.
//
// It shares no code with records but the types, the errors and ParseMAC; that both
// do the same, call by call, is held by a test over random calls. It knows no files, no
// syncs, no hashes of the ledger, no look-ups but those of a run, and must never be
// reachable from a station: cmd/provision does not import it.
package memory
