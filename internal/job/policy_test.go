package job

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/station"
)

// profiles gives every combination of what a profile can say about fuses: the two
// features, [lock], and the chips that UART_DOWNLOAD_DIS depends on.
func profiles(yield func(text string)) {
	for _, secureBoot := range []string{"0", "1\nallow_unverified_app = true"} {
		for _, encryption := range []string{`mode = "off"`, "mode = \"host\"", "mode = \"host\"\npolicy = \"development\"", `mode = "device"`} {
			lockings(func(lock, minRevision string) {
				yield(fmt.Sprintf("[station]\nname = \"T\"\n[unit]\nmin_revision = %q\n"+
					"[images]\nbootloader = \"b\"\npartition_table = \"p\"\napp = \"a\"\n"+
					"[secure_boot]\nversion = %s\n[flash_encryption]\n%s\n[lock]\n%s\n[boot_check]\nexpect = \"x\"\n",
					minRevision, secureBoot, encryption, lock))
			})
		}
	}
}

// lockings gives every combination of the locks that are frozen with others and
// UART_DOWNLOAD_DIS, each with the default freezes, with none, and with one alone:
// freezing is judged field by field.
func lockings(yield func(lock, minRevision string)) {
	freezes := []string{"", "freeze = []"}
	for _, name := range efuse.Freezable() {
		freezes = append(freezes, fmt.Sprintf("freeze = [%q]", name))
	}
	names := slices.DeleteFunc(efuse.Lockable(), func(name string) bool { return name == "DISABLE_SDIO_HOST" })
	for set := range 1 << len(names) {
		var locks strings.Builder
		for i, name := range names {
			fmt.Fprintf(&locks, "%s = %v\n", name, set>>i&1 == 1)
		}
		for _, freeze := range freezes {
			yield(locks.String()+freeze, "v1.0")
			yield(locks.String()+"UART_DOWNLOAD_DIS = true\n"+freeze, "v1.0")
			yield(locks.String()+"UART_DOWNLOAD_DIS = true\n"+freeze, "v3.0")
		}
	}
}

// TestPlannerTakesWhatStationsAccept: two places judge the fuses of a profile. What
// the first lets through, the second must never refuse at a unit.
func TestPlannerTakesWhatStationsAccept(t *testing.T) {
	accepted, refused := 0, 0
	profiles(func(text string) {
		p, err := station.Parse([]byte(text), "/nowhere/t.toml")
		if err != nil {
			refused++
			return
		}
		accepted++
		j := &Job{Profile: p}
		for _, rev := range []efuse.Revision{revision(p.Unit.MinRevision), {Major: 3, Minor: 1}} {
			if err := j.Goal(rev).Check(); err != nil {
				t.Errorf("revision %v: %v\n%s", rev, err, text)
			}
		}
	})
	if accepted < 500 || refused < 500 {
		t.Errorf("%d profiles accepted, %d refused: the combinations miss their point", accepted, refused)
	}
}

// TestPlannerHasTheLastSay: a profile that the planner refuses makes no job.
func TestPlannerHasTheLastSay(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  fault.Code
		spoil func(*station.Profile)
	}{
		{"freezes what is burnt later", fault.BadProfile, func(p *station.Profile) {
			p.Lock.UARTDownloadDis, p.Unit.MinRevision = true, 300
			p.Lock.Freeze = append(p.Lock.Freeze, "FLASH_CRYPT_CNT")
		}},
		{"freezes an open lock", fault.BadProfile, func(p *station.Profile) {
			p.Lock.Burn = slices.DeleteFunc(p.Lock.Burn, func(name string) bool { return name == "JTAG_DISABLE" })
		}},
		{"burns what is never burnt", fault.Unsupported, func(p *station.Profile) { p.Lock.Burn = append(p.Lock.Burn, "DIS_CACHE") }},
		{"closes what old chips do not have", fault.Unsupported, func(p *station.Profile) { p.Lock.UARTDownloadDis = true }},
		{"another tweak", fault.BadProfile, func(p *station.Profile) { p.FlashEncryption.CryptConfig = 0x7 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			p, err := station.Parse([]byte(profile), filepath.Join(f.dir, "t.toml"))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(p)
			_, err = New(p)
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Code != c.code || problems[0].File != p.Path {
				t.Errorf("New = %v, want one %s about the profile", err, c.code)
			}
		})
	}
}

func TestRecipients(t *testing.T) {
	const good = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
	for _, c := range []struct{ name, list, says string }{
		{"good", `"` + good + `"`, ""},
		{"one letter wrong", `"` + strings.Replace(good, "zvkyg", "zvkyq", 1) + `"`, "recipient 1"},
		{"cut short", `"` + good[:40] + `"`, "recipient 1"},
		{"post-quantum", `"` + good + `", "age1pq1` + good[5:] + `"`, "recipient 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			_, err := f.job("[secure_boot]", "[keys]\nrecipients = ["+c.list+"]\n[secure_boot]")
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Code != fault.BadProfile || !strings.Contains(problems[0].Text, c.says) {
				t.Errorf("New = %v, want one %s with %q", err, fault.BadProfile, c.says)
			}
		})
	}
}
