package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Role is what a person may do.
type Role string

// An operator works, a lead decides, an engineer also sees details.
const (
	RoleOperator Role = "operator"
	RoleLead     Role = "lead"
	RoleEngineer Role = "engineer"
)

// maxName is the longest name of a person, in bytes.
const maxName = 64

// Person is somebody who works at the stations. What proves who it is, a digest of
// the badge and a hash of the PIN, is in no JSON and no print.
type Person struct {
	Name   string    `json:"name"` // names that differ only in case are one person
	Role   Role      `json:"role"`
	Badge  string    `json:"-"` // SHA-256 in hex; "" without a badge
	PIN    string    `json:"-"` // argon2id hash, "$argon2id$..." (PHC); "" without a PIN
	Active bool      `json:"active"`
	At     time.Time `json:"at"`           // when this was saved
	By     string    `json:"by,omitempty"` // who saved it; "" where there was nobody yet
}

// Format prints name and role under every verb, so that no log shows the rest.
func (p Person) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s (%s)", p.Name, p.Role) }

var _ fmt.Formatter = Person{}

// SavePerson records who a person is from now on; what was known before stays as
// history. Active false removes the person. Spaces round the name are dropped.
// ErrBadgeUsed when the badge is another active person's; ErrInvalid for a name
// that is empty, longer than 64 bytes or not all printable, another role, a badge
// that is no SHA-256, a PIN that is no argon2id hash. A person with a name of old
// that is not printable can still be removed.
func (s *Store) SavePerson(ctx context.Context, p Person) error {
	err := p.check()
	if err == nil {
		err = s.write(ctx, func(t *txn) error { return t.savePerson(ctx, p) })
	}
	return named(err, "save person %s", p.Name)
}

// check brings name and badge into the form they are stored in. Its errors do not
// repeat a secret, whatever was given in its place.
func (p *Person) check() error {
	p.Name, p.Badge = strings.TrimSpace(p.Name), strings.ToLower(p.Badge)
	if p.Name == "" || len(p.Name) > maxName {
		return fmt.Errorf("%w: a name has 1 to %d bytes, this one has %d", ErrInvalid, maxName, len(p.Name))
	}
	if p.Active && !printable(p.Name) {
		return fmt.Errorf("%w: a name is made of characters that can be printed, %q is not", ErrInvalid, p.Name)
	}
	if p.Role != RoleOperator && p.Role != RoleLead && p.Role != RoleEngineer {
		return fmt.Errorf("%w: role %q", ErrInvalid, p.Role)
	}
	if p.Badge != "" {
		if _, err := parseHash("badge", p.Badge); err != nil {
			return fmt.Errorf("%w: the badge's digest is not a SHA-256 in hex", ErrInvalid)
		}
	}
	if p.PIN != "" && !strings.HasPrefix(p.PIN, "$argon2id$") {
		return fmt.Errorf("%w: the PIN is not given as an argon2id hash", ErrInvalid)
	}
	return nil
}

// printable reports whether a terminal shows text as it is: no control characters,
// none that turn the direction of writing, no bytes that are not UTF-8.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (t *txn) savePerson(ctx context.Context, p Person) error {
	at, err := stamp(p.At)
	if err != nil {
		return err
	}
	state := "removed"
	if p.Active {
		state = "active"
		if err := t.badgeFree(ctx, p); err != nil {
			return err
		}
	}
	_, err = t.insert(ctx, "people", "INSERT INTO people (name, role, badge, pin, state, at, by_person) VALUES (?, ?, ?, ?, ?, ?, ?)",
		p.Name, p.Role, p.Badge, p.PIN, state, at, p.By)
	return err
}

// badgeFree is ErrBadgeUsed when p's badge is somebody else's.
func (t *txn) badgeFree(ctx context.Context, p Person) error {
	owner, err := personByBadge(ctx, t, p.Badge)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	var same bool
	// SQLite compares, so that it and the constraint agree on what one name is.
	if err := t.QueryRowContext(ctx, "SELECT ? = ? COLLATE NOCASE", owner.Name, p.Name).Scan(&same); err != nil || same {
		return err
	}
	return fmt.Errorf("%w: it is %s's", ErrBadgeUsed, owner.Name)
}

// activePeople selects the newest row of each name, unless it says removed.
const activePeople = `SELECT name, role, badge, pin, state = 'active', at, by_person FROM people AS p WHERE state = 'active'
	AND NOT EXISTS (SELECT 1 FROM people AS later WHERE later.name = p.name AND later.id > p.id) `

func scanPerson(scan func(...any) error) (Person, error) {
	var p Person
	err := scan(&p.Name, &p.Role, &p.Badge, &p.PIN, &p.Active, timestamp{&p.At}, &p.By)
	return p, err
}

// People returns everybody who is active, by name.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	people, err := list(ctx, s.r, scanPerson, activePeople+"ORDER BY name")
	return people, named(classify(ctx, err), "list people")
}

// PersonByBadge returns the active person whose badge has this digest, else
// ErrNotFound.
func (s *Store) PersonByBadge(ctx context.Context, digest string) (Person, error) {
	p, err := personByBadge(ctx, s.r, strings.ToLower(digest))
	return p, named(classify(ctx, err), "person of a badge")
}

func personByBadge(ctx context.Context, q querier, digest string) (Person, error) {
	return one(ctx, q, scanPerson, activePeople+"AND badge = ? AND badge <> ''", digest)
}

// PersonByName returns the active person with a name, in upper or lower case, else
// ErrNotFound.
func (s *Store) PersonByName(ctx context.Context, name string) (Person, error) {
	p, err := one(ctx, s.r, scanPerson, activePeople+"AND name = ?", strings.TrimSpace(name))
	return p, named(classify(ctx, err), "person %s", name)
}
