// Package board is the screen of a station: up to 24 slots, what each asks of the
// person in front of it, and the questions and answers of a shift. It draws the
// events of internal/shift and sends intents. It knows words, widths, colours,
// keys and bells.
//
// It does not open ports or databases, it decides nothing and stops nothing:
// killing it hurts no unit. What it keeps is bounded by what it can draw, however
// long it runs.
package board
