package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"provision/internal/campaign/judge"
	"provision/internal/campaign/memory"
	"provision/internal/records"
)

// onDisk is a database, as a station has it.
type onDisk struct {
	dir   string
	moved int // how often it was copied
}

func (d *onDisk) path() string { return filepath.Join(d.dir, fmt.Sprintf("%d.db", d.moved)) }

func (d *onDisk) open(ctx context.Context) (store, error) {
	s, err := records.Open(ctx, d.path())
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (d *onDisk) judge() (*judge.Judge, error) { return judge.Open(d.path(), identity(), owner()) }

// killed copies the files as they lie there, log and all.
func (d *onDisk) killed(s store, j *judge.Judge) (*judge.Judge, error) {
	from := d.path()
	d.moved++
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(from + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(d.path()+suffix, data, 0o600); err != nil {
			return nil, err
		}
	}
	j, err := j.Moved(d.path())
	return j, errors.Join(err, s.Close(), os.Remove(from))
}

// inMemory is no database: the same rules, and nothing but them.
type inMemory struct{ disk *memory.Disk }

func (m inMemory) open(context.Context) (store, error) { return m.disk.Open(), nil }

func (m inMemory) judge() (*judge.Judge, error) {
	return judge.OpenMemory(m.disk, identity(), owner()), nil
}

// killed leaves the rows as they are: what a call did was kept when it returned.
func (m inMemory) killed(s store, j *judge.Judge) (*judge.Judge, error) { return j, s.Close() }
