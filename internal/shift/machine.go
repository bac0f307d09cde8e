package shift

import "provision/internal/floor"

// Machine takes note of how a machine is, from whoever watches it, and tells it when
// that has changed.
func (s *Shift) Machine(m MachineFacts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine(m)
}

// machine is Machine for a caller that holds mu.
func (s *Shift) machine(m MachineFacts) {
	if was, known := s.machines[m.Name]; known && was == m {
		return
	}
	s.machines[m.Name] = m
	s.tell(Event{Event: floor.Event{Kind: MachineState}, Machine: &m})
}

// checkedMachines are the lines of the self-test that are about a machine.
var checkedMachines = map[string]string{
	"check.scanner": ScannerMachine, "check.printer": PrinterMachine, "check.disk": DiskMachine,
}

// checked takes a line of the self-test for what is known of a machine.
func (s *Shift) checked(line CheckFacts) {
	name, ok := checkedMachines[line.Name]
	if !ok {
		return
	}
	m := MachineFacts{Name: name, OK: line.State == "ok"}
	if name == DiskMachine {
		m.Text = line.Text
	}
	s.Machine(m)
}
