//go:build race

package campaign

// thin is by how much a plain test run has fewer units: the race detector makes each
// ten times slower.
const thin = 12
