// Package stations holds the profiles that come with the program. It is data: the
// only Go here is what embedding needs, since go:embed cannot reach up to a
// folder beside its package.
package stations

import _ "embed"

// Demo is demo.toml: the profile of the demo command. It names image files that
// the command makes beside its own copy of the profile.
//
//go:embed demo.toml
var Demo []byte
