// Package label knows labels and the printers they come out of: ZPL templates with
// named fields, how values are written so that they stay values, what the bar
// codes of a label hold, and how a ZPL printer is reached and asked how it is.
//
// It does not know runs, records, people or screens, when a label is due, or
// whether a printed one was applied: that is proved by scanning it. It imports
// nothing of ours. A printer to test and to train with is in package virtual.
//
// Source of everything about ZPL: Zebra, ZPL II Programming Guide, the pages of the
// commands that are named in the comments.
package label
