// Package shift is the station at work: who is signed in, which job is armed, what
// a scan means, which slot asks for what, when work stops, which labels are due. It
// listens to the floor, to scans and to what people ask for, and tells everything
// that has changed as events. Screens draw those events and send intents; they
// decide nothing.
//
// It does not know terminals, colours, languages or keys on a keyboard, and it
// never touches a unit: that is the floor's, and below it the flow's.
package shift
