package main

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"time"

	"provision/internal/esptool"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/label"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/shift"
)

// People of a virtual station. Their badges and the PIN are on its help page.
var virtualPeople = []struct {
	name, badge string
	role        people.Role
}{
	{"Ann", "ANN", people.Operator},
	{"Cleo", "CLEO", people.Lead},
	{"Eve", "EVE", people.Engineer},
}

// virtualPIN is everybody's at a virtual station.
const virtualPIN = "2468"

// virtualScreen opens the screen of a station whose units are virtual, with records
// of its own.
func (a *app) virtualScreen(ctx context.Context, f screenFlags) error {
	if f.slots < 1 || f.slots > 24 {
		return usagef("--slots %d: a station has 1 to 24 slots", f.slots)
	}
	dir, err := makeDemo("", "host")
	if err != nil {
		return err
	}
	p, err := loadProfile(filepath.Join(dir, "demo.toml"))
	if err != nil {
		return err
	}
	j, err := job.New(p)
	if err != nil {
		return err
	}
	run := flow.Config{Job: j, Operator: "demo", Version: version(), Now: time.Now, Rand: rand.Reader}
	store, closeAll, err := a.openRecordsQuietly(ctx, p, &run)
	if err != nil {
		return err
	}
	defer closeAll()
	if err := addVirtualPeople(ctx, store); err != nil {
		return databaseFault(p.Records.Database, err)
	}
	mode, deck := shift.Training, fixture.TrainingDeck()
	if !f.training {
		mode, deck = shift.DemoMode, fixture.DemoDeck()
		p.Screen.StopAfterSlot, p.Screen.StopAfterStation = 0, 0 // nobody is there to unlock it
	}
	fix := fixture.New(fixture.Config{
		Slots: f.slots, Deck: deck, Random: mathrand.NewPCG(mathrand.Uint64(), mathrand.Uint64()), Pacing: fixture.Pace(),
	})
	hands := fix.Hands(time.After, nil)
	hands.Auto(mode == shift.DemoMode)
	cfg := shift.Config{
		Facts:   shift.ShiftFacts{Station: p.Station.Name, Site: p.Station.Site, Line: p.Station.Line, Mode: mode, Scanner: "keyboard", Version: version(), Hands: true},
		Records: store,
		Floor:   floor.Config{Run: run, RunID: newRunID, Poll: screenPoll, Sleep: sleep},
		Armed:   true,
		Hands:   virtualHands{fix, hands},
	}
	for n := 1; n <= f.slots; n++ {
		cfg.Floor.Slots = append(cfg.Floor.Slots, floor.Slot{
			Number: n, Port: fmt.Sprintf("virtual slot %d", n), Reset: esptool.ResetClassic, Open: fix.Open(n),
		})
	}
	test := selfTest{profile: p, store: store, slots: cfg.Floor.Slots, virtual: true, now: time.Now}
	cfg.SelfTest = test.run
	if f.training {
		cfg.Facts.Printer, cfg.Printer, cfg.Template = "virtual", paperTray{}, label.Default()
		p.Label.Print, p.Label.ScanBack = "auto", true
	}
	err = a.showScreen(ctx, p, cfg, f, virtualTips(), func(*shift.Shift) []func(context.Context) {
		return []func(context.Context){hands.Run}
	})
	fmt.Fprintf(a.out, "The records of this %s station are in %s\nLook one up: provision lookup --db %s DEMO-000001\n",
		mode, dir, shellQuote(p.Records.Database))
	return err
}

// virtualTips tell who may do what here: nobody can scan a badge that does not exist.
func virtualTips() []string {
	tips := []string{"Virtual people: s, then the badge, then Enter. Lead and engineer have the PIN " + virtualPIN + "."}
	for _, p := range virtualPeople {
		tips = append(tips, fmt.Sprintf("  BADGE-%-6s %s, %s", p.badge, p.name, p.role))
	}
	return tips
}

// paperTray is a printer that always prints.
type paperTray struct{}

func (paperTray) Print(context.Context, []byte) error { return nil }

// virtualHands are the hands of a fixture, as a shift knows them.
type virtualHands struct {
	fix   *fixture.Fixture
	hands *fixture.Hands
}

func (h virtualHands) Toggle(slot int) { go h.fix.Toggle(slot) }
func (h virtualHands) Auto(on bool)    { h.hands.Auto(on) }
func (h virtualHands) Saw(slot int, st shift.State, gone bool) {
	h.hands.Saw(slot, string(st), gone)
}

func addVirtualPeople(ctx context.Context, store *records.Store) error {
	pin, err := people.HashPIN(virtualPIN, rand.Reader)
	if err != nil {
		return err
	}
	for _, p := range virtualPeople {
		person := records.Person{Name: p.name, Role: records.Role(p.role.String()), Badge: people.BadgeDigest(p.badge), Active: true, At: time.Now(), By: "demo"}
		if p.role != people.Operator {
			person.PIN = pin
		}
		if err := store.SavePerson(ctx, person); err != nil {
			return err
		}
	}
	return nil
}
