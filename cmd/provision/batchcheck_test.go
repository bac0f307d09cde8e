package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"provision/internal/esptool"
	"provision/internal/floor"
	"provision/internal/simulator"
)

// TestCheckPorts: devices are opened once and closed; a socket is not, nor a virtual
// chip, which was opened before.
func TestCheckPorts(t *testing.T) {
	var mu sync.Mutex
	var tried []int
	slot := func(number int, port string, err error) floor.Slot {
		return floor.Slot{Number: number, Port: port, Open: func(context.Context) (esptool.Port, error) {
			mu.Lock()
			defer mu.Unlock()
			tried = append(tried, number)
			if err != nil {
				return nil, err
			}
			return simulator.New(simulator.DefaultConfig()), nil
		}}
	}
	opened, missing := checkPorts(t.Context(), []floor.Slot{
		slot(1, "sim:one", nil),
		slot(2, "/dev/ttyUSB0", nil),
		slot(3, "tcp://jig:4000", nil),
		slot(4, "usb:1-1.4", esptool.ErrPortMissing),
		slot(5, "COM3", esptool.ErrPortBusy),
		slot(6, "COM4", nil),
		slot(7, "rfc2217://jig:4000", nil),
	})
	slices.Sort(tried)
	if opened != 3 || !slices.Equal(missing, []int{4, 5}) || !slices.Equal(tried, []int{2, 4, 5, 6}) {
		t.Errorf("%d opened, %v missing, %v tried", opened, missing, tried)
	}
}
