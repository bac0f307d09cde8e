//go:build race

package memory_test

// seeds is how many random histories are compared: the race detector makes each ten
// times slower.
const seeds = 1
