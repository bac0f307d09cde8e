//go:build !race

package campaign

// thin is by how much a plain test run has fewer units.
const thin = 1
