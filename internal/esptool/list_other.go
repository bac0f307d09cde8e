//go:build !linux

package esptool

import (
	"fmt"
	"slices"

	"go.bug.st/serial"
)

// List returns the serial ports of this machine in the order of their names. Only
// names are known here.
func List() ([]PortInfo, error) {
	names, err := serial.GetPortsList()
	if err != nil {
		return nil, fmt.Errorf("list serial ports: %w", err)
	}
	slices.Sort(names)
	ports := make([]PortInfo, len(names))
	for i, name := range names {
		ports[i] = PortInfo{Name: name}
	}
	return ports, nil
}

// deviceAt needs the kernel's USB tree, which only Linux shows as files.
func deviceAt(place string) (string, error) {
	return "", fmt.Errorf("%w: places on the USB tree are known on Linux only (%s)", ErrPortKind, knownKinds)
}
