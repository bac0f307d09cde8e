package people

import (
	"errors"
	"fmt"
)

// ErrRole is a word that is no role.
var ErrRole = errors.New("not a role")

// Role is what somebody may do. Each role may do what those below it may.
type Role int

// The roles, from below.
const (
	Nobody   Role = iota // not signed in
	Operator             // badge
	Lead                 // badge and PIN
	Engineer             // badge and PIN
)

var roleNames = [...]string{Nobody: "nobody", Operator: "operator", Lead: "lead", Engineer: "engineer"}

// Allows reports whether the role may do what needs another.
func (r Role) Allows(needed Role) bool { return r >= needed }

// Elevated reports whether the role needs a PIN and is held for a short time only.
func (r Role) Elevated() bool { return r > Operator }

func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return fmt.Sprintf("Role(%d)", int(r))
	}
	return roleNames[r]
}

// ParseRole returns the role of a name: operator, lead or engineer. Another name
// is ErrRole; nobody can be given the role of nobody.
func ParseRole(name string) (Role, error) {
	for r := Operator; r <= Engineer; r++ {
		if roleNames[r] == name {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("%w: %q; roles are operator, lead and engineer", ErrRole, name)
}
