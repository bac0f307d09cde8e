package main

import (
	"context"
	"reflect"
	"testing"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/shift"
	"provision/internal/simulator"
)

// TestSelfTestOfPorts: a port that does not open is a warning with its code, and bad where
// no other opens. A port of another machine is left alone, and not counted.
func TestSelfTestOfPorts(t *testing.T) {
	slot := func(number int, port string, err error) floor.Slot {
		return floor.Slot{Number: number, Port: port, Open: func(context.Context) (esptool.Port, error) {
			if isRemote(port) {
				t.Errorf("%s was opened", port)
			}
			if err != nil {
				return nil, err
			}
			return simulator.New(simulator.DefaultConfig()), nil
		}}
	}
	missing := esptool.ErrPortMissing
	for _, c := range []struct {
		slots []floor.Slot
		want  shift.CheckFacts
		code  fault.Code
	}{
		{[]floor.Slot{slot(1, "/dev/ttyUSB0", nil), slot(2, "rfc2217://jig:4000", nil), slot(3, "COM3", esptool.ErrPortBusy)}, shift.CheckFacts{State: checkOK, Text: "2"}, ""},
		{[]floor.Slot{slot(1, "rfc2217://jig:4000", nil), slot(2, "/dev/ttyUSB0", missing)}, shift.CheckFacts{State: checkWarn, Text: "port does not open: slot 2", Slots: []int{2}}, fault.PortMissing},
		{[]floor.Slot{slot(1, "COM3", nil), slot(2, "COM4", esptool.ErrPortPermission), slot(5, "COM5", missing)}, shift.CheckFacts{State: checkWarn, Text: "port does not open: slot 2, 5", Slots: []int{2, 5}}, fault.PortNotPermitted},
		{[]floor.Slot{slot(1, "sim:one", missing), slot(2, "COM3", nil)}, shift.CheckFacts{State: checkOK, Text: "2"}, ""}, // the first run makes it
		{[]floor.Slot{slot(1, "COM3", missing)}, shift.CheckFacts{State: checkBad, Text: "port does not open: slot 1", Slots: []int{1}}, fault.PortMissing},
	} {
		var told []shift.CheckFacts
		var code fault.Code
		test := selfTest{slots: c.slots, tell: func(line shift.CheckFacts, why ...shift.Fault) {
			told = append(told, line)
			for _, f := range why {
				code = f.Code
			}
		}}
		test.ports(t.Context())
		c.want.Name = "check.ports"
		if len(told) != 1 || !reflect.DeepEqual(told[0], c.want) || code != c.code {
			t.Errorf("%+v %s, want %+v %s", told, code, c.want, c.code)
		}
	}
}
