//go:build race

package fleet_test

// race: under the race detector a limit in time says nothing.
const race = true
