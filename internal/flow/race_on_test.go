//go:build race

package flow_test

// thin divides every sample under the race detector, with which each run takes
// about fifteen times as long.
const thin = 8
