//go:build !race

package flow_test

// thin divides every sample: see race_on_test.go.
const thin = 1
