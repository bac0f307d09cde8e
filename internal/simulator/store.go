package simulator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	// ErrExist is Create on a directory that already holds a chip.
	ErrExist = errors.New("there is a virtual chip already")
	// ErrNotExist is Open on a directory that holds none.
	ErrNotExist = errors.New("there is no virtual chip")
	// ErrOther is Create or Open on a directory that holds something else than a
	// chip, or only a part of one.
	ErrOther = errors.New("folder holds something else than a whole virtual chip")
	// ErrBusy is Open on a chip that is open already, here or in another process.
	ErrBusy = errors.New("virtual chip is in use")
)

// The files of a chip. efuse.bin and flash.bin are what Espressif's QEMU keeps;
// chip.json holds the rest and may be missing.
const (
	fuseFile  = "efuse.bin"
	flashFile = "flash.bin"
	factsFile = "chip.json"
)

// store keeps a chip in a directory. Changes go to the files at once, so that a
// killed process loses nothing the chip has done. A nil store keeps nothing.
type store struct {
	dir          string
	fuses, flash *os.File
	facts        facts
}

// Create makes a chip in dir, which it makes too if it must: whole or not at all.
// ErrExist when the directory holds one, ErrOther when it holds anything else;
// ErrConfig when there is no such chip.
func Create(dir string, cfg Config) error {
	if err := makeChip(dir, cfg); err != nil {
		return fmt.Errorf("create virtual chip in %s: %w", dir, err)
	}
	return nil
}

func makeChip(dir string, cfg Config) error {
	cfg, err := cfg.normal()
	if err != nil {
		return err
	}
	description, err := boardFacts(cfg).marshal()
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := free(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	err = writeFiles(beside, map[string][]byte{
		flashFile: blankFlash(cfg.FlashSize), factsFile: description, fuseFile: cfg.factoryFuses().Bytes(),
	})
	if err == nil {
		err = settle(beside, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(beside))
	}
	return nil
}

// free refuses a directory that is in use: ErrExist or ErrOther.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == fuseFile {
			return ErrExist
		}
	}
	return holdsOther(entries, fuseFile)
}

// holdsOther says what a directory holds instead of a chip, and what it lacks.
func holdsOther(entries []os.DirEntry, lacks string) error {
	return fmt.Errorf("%w: %s, but no %s", ErrOther, entries[0].Name(), lacks)
}

func writeFiles(dir string, files map[string][]byte) error {
	errs := []error{os.Chmod(dir, 0o755)}
	for name, content := range files {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	return errors.Join(errs...)
}

// settle gives the finished chip its name. An empty directory that is there already
// is somebody's own: it stays, and the files move in, efuse.bin last, since with it
// there is a chip.
func settle(beside, dir string) error {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(beside, dir); err != nil {
			return errors.Join(free(dir), err) // somebody may have been faster
		}
		return nil
	}
	for _, name := range []string{flashFile, factsFile, fuseFile} {
		if err == nil {
			err = os.Rename(filepath.Join(beside, name), filepath.Join(dir, name))
		}
	}
	if err != nil {
		return err
	}
	return os.Remove(beside)
}

// Open opens the chip in dir and locks it: ErrNotExist when there is none, ErrBusy
// when it is open already. Its power comes on when the port is first used.
func Open(dir string, opts ...Option) (*Chip, error) {
	st, err := openStore(dir)
	if err != nil {
		return nil, fmt.Errorf("open virtual chip in %s: %w", dir, err)
	}
	fuses, flash, err := st.load()
	if err != nil {
		return nil, fmt.Errorf("open virtual chip in %s: %w", dir, errors.Join(err, st.close()))
	}
	var nor norFlash
	nor.load(flash)
	return newChip(st.facts, fuses, nor, st, opts), nil
}

// openStore opens and locks the files.
func openStore(dir string) (*store, error) {
	st := &store{dir: dir}
	var err error
	if st.fuses, err = openFile(dir, fuseFile); err != nil {
		return nil, err
	}
	if st.flash, err = openFile(dir, flashFile); err == nil {
		err = lock(st.fuses)
	}
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

func openFile(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			return nil, holdsOther(entries, name)
		}
		return nil, fmt.Errorf("%w: no %s", ErrNotExist, name)
	}
	return f, err
}

// load reads the files, chip.json too when there is one.
func (s *store) load() (Fuses, []byte, error) {
	raw, err := os.ReadFile(s.fuses.Name())
	if err != nil {
		return Fuses{}, nil, err
	}
	fuses, err := parseFuses(raw)
	if err != nil {
		return Fuses{}, nil, fmt.Errorf("%s: %w", fuseFile, err)
	}
	flash, err := os.ReadFile(s.flash.Name())
	if err != nil {
		return Fuses{}, nil, err
	}
	if err := checkFlashSize(uint32(len(flash))); err != nil {
		return Fuses{}, nil, fmt.Errorf("%s: %w", flashFile, err)
	}
	s.facts, err = s.loadFacts(fuses, uint32(len(flash)))
	return fuses, flash, err
}

func (s *store) loadFacts(fuses Fuses, flashSize uint32) (facts, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, factsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return guessFacts(fuses, flashSize), nil
	}
	if err != nil {
		return facts{}, err
	}
	f, err := parseFacts(raw)
	if err != nil {
		return facts{}, fmt.Errorf("%s: %w", factsFile, err)
	}
	return f, nil
}

// saveFuses and saveFlash write changes through.

func (s *store) saveFuses(f Fuses) error {
	if s == nil {
		return nil
	}
	_, err := s.fuses.WriteAt(f.Bytes(), 0)
	return err
}

func (s *store) saveFlash(off uint32, p []byte) error {
	_, err := s.flash.WriteAt(p, int64(off))
	return err
}

// saveStatus keeps the flash's status registers, which survive a power cut too.
func (s *store) saveStatus(status uint32) error {
	if s == nil {
		return nil
	}
	s.facts.FlashStatus = hexWord(status)
	b, err := s.facts.marshal()
	if err != nil {
		return err
	}
	beside := filepath.Join(s.dir, factsFile+".new")
	if err := os.WriteFile(beside, b, 0o644); err != nil {
		return err
	}
	return os.Rename(beside, filepath.Join(s.dir, factsFile))
}

// close lets go of the files, and with them of the lock.
func (s *store) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, f := range []*os.File{s.fuses, s.flash} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
