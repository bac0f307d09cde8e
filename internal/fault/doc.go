// Package fault knows every code this program publishes: what each one is called,
// what it says to the person at the station, the one thing to do about it, whether
// trying again can help, and which verdict and exit code it leads to.
//
// It does not know chips, files, databases or screens, and it never decides that
// something went wrong: leaves return plain errors, and the layers above them
// choose the code. It imports nothing of ours.
//
// A code, once published, is never renumbered or reused: people write it on red
// tags and scripts compare it. testdata/published.txt holds the list.
package fault
