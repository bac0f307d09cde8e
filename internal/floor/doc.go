// Package floor works a station's slots: it notices a unit in a slot, gives it the
// next serial number of the work order, lets the flow take it to a verdict, and
// waits until it is gone. Slots work side by side and wait for nobody: a slot that
// hangs delays no other.
//
// It does not know what happens to a unit (flow does), screens, flags or files.
package floor
