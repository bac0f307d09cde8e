//go:build !unix

package campaign

import "time"

// cpuTime is not to be had here: nothing is held to a limit.
func cpuTime() time.Duration { return 0 }
