// Package scanner turns characters and their times into scans and keystrokes, and
// finds out what a scan means. A scanner that plays keyboard types as fast as no
// hand does: that, a prefix if it is set up to send one, and the terminator at the
// end tell its characters from those of a person.
//
// Where the two cannot be told apart for certain, the text is Broken: an error
// tone and another scan cost less than a key that nobody pressed, or half a serial
// number.
//
// It does not know terminals, people, jobs or units, has no clock and starts no
// goroutine: times come in with the characters.
package scanner
