package fleet_test

import (
	"strings"
	"testing"

	"provision/internal/fleet"
	"provision/internal/ota"
	"provision/internal/simulator"
)

// TestCheckJob: of all chips that the profile accepts.
func TestCheckJob(t *testing.T) {
	p := products()[0]
	older, newer := signed(t, ours(), newApp(t, simulator.AppSpec{})), appForV31(t)
	for _, v := range []struct {
		unit, revision string // lines of the profile; what is known of the revision
		older, newer   ota.Verdict
	}{
		{"", "unknown", ota.Accepted, ota.Unknown},
		{`min_revision = "v3.1"`, "unknown", ota.Accepted, ota.Accepted},
		{`max_revision = "v3.0"`, "unknown", ota.Accepted, ota.Refused},
		{"min_revision = \"v3.0\"\nmax_revision = \"v3.1\"", "unknown", ota.Accepted, ota.Unknown},
		{"min_revision = \"v3.1\"\nmax_revision = \"v3.1\"", "301", ota.Accepted, ota.Accepted},
		{"min_revision = \"v3.3\"", "303", ota.Accepted, ota.Accepted},
	} {
		p.unit = v.unit
		j := p.newJob(t)
		if d := fleet.DeviceOfJob(j); d.Revision.String() != v.revision {
			t.Errorf("%q: revision %v, want %s", v.unit, d.Revision, v.revision)
		}
		if r := fleet.CheckJob(j, ota.Read(older)); r.Verdict != v.older {
			t.Errorf("%q, older chips too: %+v", v.unit, r)
		}
		r := fleet.CheckJob(j, ota.Read(newer))
		if r.Verdict != v.newer || r.Verdict == ota.Unknown && !strings.Contains(strings.Join(r.Missing, ";"), "chip revision") {
			t.Errorf("%q, v3.1 and later: %+v, want %s", v.unit, r, v.newer)
		}
	}
}

// TestJobFromFactory: what a unit that first starts from factory has burnt by then is
// not foretold.
func TestJobFromFactory(t *testing.T) {
	p := products()[0]
	p.table = "otadata,data,ota,0xd000,0x2000\nfactory,app,factory,0x10000,64K\nota_0,app,ota_0,,64K\n"
	d := fleet.DeviceOfJob(p.newJob(t))
	if label, _ := d.Running.Get(); label != "factory" || d.SecureVersion.String() != "0" {
		t.Errorf("it runs from %q with secure version %v", label, d.SecureVersion)
	}
	p.bootloader.AntiRollback, p.app.SecureVersion = true, 2
	if d := fleet.DeviceOfJob(p.newJob(t)); d.SecureVersion.String() != "unknown" {
		t.Errorf("secure version %v", d.SecureVersion)
	}
}
