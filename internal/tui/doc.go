// Package tui draws the events of a run on a terminal. It knows words, widths
// and colours. It does not open ports or databases, it starts nothing and stops
// nothing: killing it hurts no unit.
package tui
