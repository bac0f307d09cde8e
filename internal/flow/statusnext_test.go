package flow

import (
	"strings"
	"testing"

	"provision/internal/fault"
	"provision/internal/records"
)

// TestStatusAdvises: status advises a release where it can help, as the list of
// unfinished units does.
func TestStatusAdvises(t *testing.T) {
	for _, c := range []struct {
		code    fault.Code
		advised bool
	}{
		{fault.SetAside, true}, {fault.FailedTooOften, true}, {fault.Contradictory, false}, {fault.KeyUncertain, false}, {fault.ReadBack, false},
	} {
		unit := records.Unit{State: records.StateParked, Serial: "SN-0001", MAC: "24:0a:c4:00:00:01", ParkCode: string(c.code)}
		var begun, never Status
		never.MAC = unit.MAC
		(&runner{}).judgeStatus(&begun, OnRecord{Unit: &unit})
		(&runner{}).judgeStatus(&never, OnRecord{Parked: &records.Parking{Code: string(c.code)}})
		for _, next := range []string{begun.Next, never.Next} {
			if strings.Contains(next, "provision release "+unit.MAC) != c.advised {
				t.Errorf("%s: %q", c.code, next)
			}
		}
	}
}
