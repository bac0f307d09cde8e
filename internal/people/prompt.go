package people

import "time"

// How wrong PINs slow down the next try: the third in a row costs 30 s, each further
// one twice as long, up to an hour. Source of the rising waits: NIST SP 800-63B,
// section 5.2.2, "Rate Limiting (Throttling)".
const (
	freeTries = 2
	firstWait = 30 * time.Second
	maxWait   = time.Hour
)

// prompt is a PIN that is asked for.
type prompt struct {
	person Person
	until  time.Time
}

// check is a PIN that was given and is being looked at elsewhere.
type check struct {
	name   string
	prompt *prompt // that it answers
}

// tries are the wrong PINs of a person since the last right one.
type tries struct {
	wrong int
	next  time.Time // no other is looked at before
}

// askPIN asks for the PIN of a person, unless they have to wait.
func (d *Desk) askPIN(p Person, now time.Time) {
	if next := d.tries[p.Name].next; now.Before(next) {
		d.refuse(p, next)
		return
	}
	d.prompt = &prompt{p, now.Add(d.cfg.PINEntry)}
	d.changes = append(d.changes, Change{Kind: PINWanted, Person: p, Until: d.prompt.until})
}

// PINGiven takes note that a PIN was typed. When ok it is to be checked against the
// hash of the person, and PINResult must follow, whatever comes of the check.
// Otherwise it is not to be looked at: none is asked for, the one before is still
// being checked, or the person has to wait, which Changes tells.
func (d *Desk) PINGiven(now time.Time) (p Person, ok bool) {
	d.expire(now)
	d.lastSign = now
	if d.prompt == nil || d.check != nil {
		return Person{}, false
	}
	p = d.prompt.person
	if next := d.tries[p.Name].next; now.Before(next) {
		d.closePrompt()
		d.refuse(p, next)
		return Person{}, false
	}
	d.prompt.until = now.Add(d.cfg.PINEntry) // the check takes its time
	d.check = &check{p.Name, d.prompt}
	return p, true
}

// PINResult takes what came of a check: whether the PIN was the right one of the
// person with this name. A wrong one counts even when its prompt is closed by now; a
// right one then signs nobody in. A result that nobody waits for is ignored.
func (d *Desk) PINResult(name string, right bool, now time.Time) {
	d.expire(now)
	if d.check == nil || d.check.name != name {
		return
	}
	open := d.prompt != nil && d.prompt == d.check.prompt
	d.check = nil
	if right {
		delete(d.tries, name)
		if open {
			p := d.prompt.person
			d.closePrompt()
			d.elevate(p, now)
		}
		return
	}
	t := d.tries[name].failed(now)
	d.tries[name] = t
	if !open {
		return
	}
	p := d.prompt.person
	if now.Before(t.next) {
		d.closePrompt()
	} else {
		d.prompt.until = now.Add(d.cfg.PINEntry)
	}
	d.refuse(p, t.next)
}

// failed counts another wrong PIN.
func (t tries) failed(now time.Time) tries {
	t.wrong++
	if over := t.wrong - freeTries; over > 0 {
		wait := maxWait
		if over <= 7 { // 30 s << 6 is 32 min; the next would be over an hour
			wait = firstWait << (over - 1)
		}
		t.next = now.Add(wait)
	}
	return t
}

// GiveUpPIN closes the prompt without a PIN.
func (d *Desk) GiveUpPIN(now time.Time) {
	d.expire(now)
	d.closePrompt()
}

// PINAsked returns whose PIN is asked for, and whether one is.
func (d *Desk) PINAsked(now time.Time) (Person, bool) {
	if d.prompt == nil || !now.Before(d.prompt.until) {
		return Person{}, false
	}
	return d.prompt.person, true
}

func (d *Desk) closePrompt() {
	if d.prompt != nil {
		d.changes = append(d.changes, Change{Kind: PINClosed, Person: d.prompt.person})
		d.prompt = nil
	}
}

func (d *Desk) refuse(p Person, next time.Time) {
	d.changes = append(d.changes, Change{Kind: PINRefused, Person: p, Until: next})
}
