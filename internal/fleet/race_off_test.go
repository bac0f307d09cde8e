//go:build !race

package fleet_test

// race: see race_on_test.go.
const race = false
