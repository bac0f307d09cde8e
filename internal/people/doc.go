// Package people knows the roles at a station, the proof of them, and who stands
// at the desk. A badge identifies: whoever holds it, or a photograph of it, is
// taken for its owner. A PIN proves: what needs a lead or an engineer needs both.
//
// It does not know where people are kept, what the acts are that roles allow, or
// screens. It has no clock and starts no goroutine: times come in with the calls.
package people
