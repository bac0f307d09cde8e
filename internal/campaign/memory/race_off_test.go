//go:build !race

package memory_test

// seeds is how many random histories are compared.
const seeds = 16
