package main

import (
	"context"
	"reflect"
	"testing"

	"provision/internal/esptool"
	"provision/internal/floor"
	"provision/internal/shift"
	"provision/internal/simulator"
)

// TestSelfTestOfPorts: a port of another machine is left alone, and not counted.
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
	for _, c := range []struct {
		slots []floor.Slot
		state string
		text  string
	}{
		{[]floor.Slot{slot(1, "/dev/ttyUSB0", nil), slot(2, "rfc2217://jig:4000", nil), slot(3, "COM3", esptool.ErrPortBusy)}, checkOK, "2"},
		{[]floor.Slot{slot(1, "rfc2217://jig:4000", nil), slot(2, "/dev/ttyUSB0", esptool.ErrPortMissing)}, checkWarn, "2"},
	} {
		var told []shift.CheckFacts
		test := selfTest{slots: c.slots, tell: func(line shift.CheckFacts, _ ...shift.Fault) { told = append(told, line) }}
		test.ports(t.Context())
		if len(told) != 1 || !reflect.DeepEqual(told[0], shift.CheckFacts{Name: "check.ports", State: c.state, Text: c.text}) {
			t.Errorf("%+v, want %s %s", told, c.state, c.text)
		}
	}
}
