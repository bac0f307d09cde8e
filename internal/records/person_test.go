package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const pinHash = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"

// ada is a lead with a badge and a PIN.
func ada() Person {
	return Person{Name: "Ada", Role: RoleLead, Badge: sum("badge of ada"), PIN: pinHash, Active: true, At: noon, By: "eve"}
}

func TestNewestRowOfAPersonCounts(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	must(t, s.SavePerson(ctx, Person{Name: "zoe", Role: RoleOperator, Active: true, At: noon}))
	must(t, s.SavePerson(ctx, ada()))
	moved := ada()
	moved.Name, moved.Role, moved.Badge, moved.At = " ADA ", RoleEngineer, strings.ToUpper(sum("new badge")), noon.Add(time.Hour)
	must(t, s.SavePerson(ctx, moved))

	people, err := s.People(ctx)
	must(t, err)
	want := Person{Name: "ADA", Role: RoleEngineer, Badge: sum("new badge"), PIN: pinHash, Active: true, At: noon.Add(time.Hour), By: "eve"}
	if len(people) != 2 || people[0] != want || people[1].Name != "zoe" {
		t.Errorf("people = %s, want ADA as corrected, then zoe", people)
	}
	for what, find := range map[string]func() (Person, error){
		"name":  func() (Person, error) { return s.PersonByName(ctx, "ada") },
		"badge": func() (Person, error) { return s.PersonByBadge(ctx, moved.Badge) },
	} {
		if got, err := find(); err != nil || got != want {
			t.Errorf("by %s: %s, %v", what, got, err)
		}
	}
	_, err = s.PersonByBadge(ctx, ada().Badge)
	wantErr(t, err, ErrNotFound) // the badge she had before
	_, err = s.PersonByBadge(ctx, "")
	wantErr(t, err, ErrNotFound) // zoe has none

	moved.Active = false
	must(t, s.SavePerson(ctx, moved))
	_, err = s.PersonByName(ctx, "ada")
	wantErr(t, err, ErrNotFound)
	_, err = s.PersonByBadge(ctx, moved.Badge)
	wantErr(t, err, ErrNotFound)
	if people, err := s.People(ctx); err != nil || len(people) != 1 {
		t.Errorf("people = %s, %v; want zoe alone", people, err)
	}
	if _, err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func TestBadgeBelongsToOnePerson(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	must(t, s.SavePerson(ctx, ada()))
	must(t, s.SavePerson(ctx, ada())) // her own again
	bob := Person{Name: "bob", Role: RoleOperator, Badge: strings.ToUpper(ada().Badge), Active: true, At: noon}
	err := s.SavePerson(ctx, bob)
	if !errors.Is(err, ErrBadgeUsed) || !strings.Contains(err.Error(), "Ada") {
		t.Errorf("error = %v, want ErrBadgeUsed that names Ada", err)
	}
	db := raw(t, s.Path())
	if _, err := db.ExecContext(ctx, "INSERT INTO people (name, role, badge, pin, state, at, by_person) SELECT 'bob', role, badge, pin, state, at, '' FROM people"); err == nil {
		t.Error("the database lets two people have one badge")
	}
	gone := ada()
	gone.Active = false
	must(t, s.SavePerson(ctx, gone))
	must(t, s.SavePerson(ctx, bob)) // it is free again
	wantErr(t, s.SavePerson(ctx, ada()), ErrBadgeUsed)
}

func TestSavePersonRefuses(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for name, edit := range map[string]func(*Person){
		"no name":         func(p *Person) { p.Name = " \t" },
		"long name":       func(p *Person) { p.Name = strings.Repeat("ü", 32) + "x" },
		"escape":          func(p *Person) { p.Name = "A\x1b[2Jda" },
		"second line":     func(p *Person) { p.Name = "A\nda" },
		"C1 control":      func(p *Person) { p.Name = "A\u009bda" },
		"right to left":   func(p *Person) { p.Name = "A\u202eda" },
		"no UTF-8":        func(p *Person) { p.Name = "A\xffda" },
		"no role":         func(p *Person) { p.Role = "" },
		"other role":      func(p *Person) { p.Role = "owner" },
		"no time":         func(p *Person) { p.At = time.Time{} },
		"badge as read":   func(p *Person) { p.Badge = "B-4711" },
		"PIN as typed":    func(p *Person) { p.PIN = "4711" },
		"PIN hash of old": func(p *Person) { p.PIN = "$2y$4711" },
	} {
		p := ada()
		edit(&p)
		err := s.SavePerson(t.Context(), p)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
		if strings.Contains(fmt.Sprint(err), "4711") {
			t.Errorf("%s: the error repeats the secret: %v", name, err)
		}
	}
	for _, name := range []string{strings.Repeat("ü", 32), "Ada of Lovelace", "王小明", "O'Neil-Å"} {
		p := ada()
		p.Name, p.Badge = name, sum("badge of %s", name)
		must(t, s.SavePerson(t.Context(), p))
	}
}

// TestPersonOfOldIsRemoved: a name that is refused today goes the way of all others.
func TestPersonOfOldIsRemoved(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	exec(t, raw(t, s.Path()), "INSERT INTO people (name, role, badge, pin, state, at, by_person) VALUES (?, 'lead', '', '', 'active', ?, '')",
		"A\ada", noon.Format(timeLayout))
	p, err := s.PersonByName(t.Context(), "A\ada")
	must(t, err)
	p.At = noon
	wantErr(t, s.SavePerson(t.Context(), p), ErrInvalid)
	p.Active = false
	must(t, s.SavePerson(t.Context(), p))
	if people, err := s.People(t.Context()); err != nil || len(people) != 0 {
		t.Errorf("people = %s, %v", people, err)
	}
}

func TestNothingShowsAPersonsSecrets(t *testing.T) {
	t.Parallel()
	p := ada()
	text, err := json.Marshal([]any{p, &p, struct{ Person }{p}, map[string]Person{"x": p}})
	must(t, err)
	shown := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb+verb+verb, p, &p, []Person{p})
	}
	if !strings.Contains(shown, `"name":"Ada"`) {
		t.Errorf("a person is shown as %s", shown)
	}
	for _, secret := range []string{p.PIN, p.Badge, "argon2id", fmt.Sprintf("%x", p.PIN), fmt.Sprintf("%x", p.Badge)} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s shows in %s", secret, shown)
		}
	}
}
