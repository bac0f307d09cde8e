package esptool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sysfs is where the kernel describes devices.
const sysfs = "/sys"

// List returns the serial ports of this machine in the order of their names. It
// reads sysfs only: opening a port to look at it would move its lines.
func List() ([]PortInfo, error) { return listPorts(sysfs) }

// listPorts is List over the sysfs tree at root.
func listPorts(root string) ([]PortInfo, error) {
	dir := filepath.Join(root, "class/tty")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list serial ports: %w", err)
	}
	var ports []PortInfo
	for _, e := range entries {
		if p, ok := describePort(filepath.Join(dir, e.Name())); ok {
			ports = append(ports, p)
		}
	}
	slices.SortFunc(ports, func(a, b PortInfo) int { return strings.Compare(a.Name, b.Name) })
	return ports, nil
}

// describePort reads one entry of /sys/class/tty; ok is false for consoles,
// virtual terminals and UARTs without hardware.
func describePort(entry string) (info PortInfo, ok bool) {
	device, err := filepath.EvalSymlinks(filepath.Join(entry, "device"))
	if err != nil {
		return PortInfo{}, false // no hardware behind it
	}
	if readWord(filepath.Join(entry, "type")) == "0" {
		return PortInfo{}, false // a ttyS slot that found no UART
	}
	info.Name = "/dev/" + filepath.Base(entry)
	if driver, err := filepath.EvalSymlinks(filepath.Join(device, "driver")); err == nil {
		info.Driver = filepath.Base(driver)
	}
	addUSB(&info, device)
	return info, true
}

// addUSB fills the USB fields from the nearest ancestor that is a USB device. Its
// directory is named for its place on the tree: 1-1.4.2.
func addUSB(info *PortInfo, device string) {
	for dir := device; len(dir) > 1; dir = filepath.Dir(dir) {
		vid := readWord(filepath.Join(dir, "idVendor"))
		if vid == "" {
			continue
		}
		info.Place = filepath.Base(dir)
		info.VID = vid
		info.PID = readWord(filepath.Join(dir, "idProduct"))
		info.Serial = readWord(filepath.Join(dir, "serial"))
		info.Product = readWord(filepath.Join(dir, "product"))
		return
	}
}

// readWord returns the trimmed content of a small sysfs file, "" without one.
func readWord(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// deviceAt returns the device plugged in at a place on the USB tree. With several
// ports on one adapter it is the first. The error wraps ErrPortMissing.
func deviceAt(place string) (string, error) {
	ports, err := List()
	if err != nil {
		return "", err
	}
	return portAt(ports, place)
}

// portAt finds place among ports.
func portAt(ports []PortInfo, place string) (string, error) {
	for _, p := range ports {
		if p.Place != "" && p.Place == place {
			return p.Name, nil
		}
	}
	return "", fmt.Errorf("%w: no serial adapter at USB place %s", ErrPortMissing, place)
}
