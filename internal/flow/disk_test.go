//go:build unix

package flow_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// trouble is what a disk does at one of its operations.
type trouble struct {
	name string
	// codes are SQLite's result codes by operation. An operation without one works,
	// and is not counted.
	codes   map[operation]int32
	lasting bool // from then on, not just once
	// cut takes the power away in the middle of the operation.
	cut bool
	// keep says which of the writes that were not synced are found on the disk after
	// a cut: "none", "all", or "some" of them, some by halves.
	keep string
	// liar says that syncs are acknowledged and not done.
	liar bool
}

// Result codes as SQLite's own layer for Unix has them (os_unix.c).
var (
	noSpace = map[operation]int32{
		opOpen: sqlite3.SQLITE_CANTOPEN, opWrite: sqlite3.SQLITE_FULL, opTruncate: sqlite3.SQLITE_IOERR_TRUNCATE, opSync: sqlite3.SQLITE_IOERR_FSYNC,
	}
	ioError = map[operation]int32{
		opOpen: sqlite3.SQLITE_CANTOPEN, opWrite: sqlite3.SQLITE_IOERR_WRITE, opTruncate: sqlite3.SQLITE_IOERR_TRUNCATE,
		opSync: sqlite3.SQLITE_IOERR_FSYNC, opDelete: sqlite3.SQLITE_IOERR_DELETE,
	}
	readError = map[operation]int32{opRead: sqlite3.SQLITE_IOERR_READ}
	readOnly  = map[operation]int32{
		opOpen: sqlite3.SQLITE_CANTOPEN, opWrite: sqlite3.SQLITE_READONLY, opTruncate: sqlite3.SQLITE_READONLY, opDelete: sqlite3.SQLITE_IOERR_DELETE,
	}
)

// disk is what lies under the files of a folder.
type disk struct {
	trouble trouble
	at      int // the operation that goes wrong; 0: none
	random  *rand.Rand

	mu      sync.Mutex
	count   int
	struck  bool   // it has gone wrong
	what    string // the operation it went wrong at
	off     bool   // there is no power
	durable map[string][]byte
	pending map[string][]change // since the last sync
	gone    map[string][]byte   // deleted, and the folder not synced since
	fresh   map[string]bool     // opened, and not synced since
}

// change is a write, or with data nil a truncation to offset.
type change struct {
	data   []byte
	offset int64
}

func newDisk(tr trouble, at int, seed uint64) *disk {
	return &disk{
		trouble: tr, at: at, random: rand.New(rand.NewPCG(seed, uint64(at))),
		durable: map[string][]byte{}, pending: map[string][]change{}, gone: map[string][]byte{}, fresh: map[string]bool{},
	}
}

// before is called before each operation and returns what SQLite is told of it.
func (d *disk) before(op operation, path string) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.result(op, path)
}

// result counts the operation and decides what comes of it. The caller holds mu.
func (d *disk) result(op operation, path string) int32 {
	code, counted := d.trouble.codes[op]
	if d.off {
		return sqlite3.SQLITE_IOERR
	}
	if !counted {
		return sqlite3.SQLITE_OK
	}
	d.count++
	if d.at == 0 || d.count < d.at || d.count > d.at && !d.trouble.lasting {
		return sqlite3.SQLITE_OK
	}
	if !d.struck {
		d.struck, d.what = true, string(op)+" "+path
	}
	d.off = d.trouble.cut
	return code
}

func (d *disk) write(path string, data []byte, offset int64) int32 {
	return d.changed(opWrite, path, change{bytes.Clone(data), offset})
}

func (d *disk) truncate(path string, size int64) int32 {
	return d.changed(opTruncate, path, change{nil, size})
}

// changed takes note of a change. One that the power fails in may be on the disk
// too, or a part of it.
func (d *disk) changed(op operation, path string, c change) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	wasOff := d.off
	code := d.result(op, path)
	if d.trouble.cut && !wasOff {
		d.pending[path] = append(d.pending[path], c)
	}
	return code
}

// opened takes note of what was there before.
func (d *disk) opened(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh[path] = true
	delete(d.gone, path)
	// Only once: closing any handle of a file drops the locks that SQLite has on it.
	if _, known := d.durable[path]; d.trouble.cut && !known {
		d.durable[path] = contentOf(path)
	}
}

// synced makes what was written durable. The first sync of a journal or log that was
// opened syncs its folder as well, and with it whatever was deleted there (os_unix.c,
// UNIXFILE_DIRSYNC).
func (d *disk) synced(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.trouble.cut || d.trouble.liar {
		return
	}
	d.durable[path] = applied(d.durable[path], d.pending[path])
	delete(d.pending, path)
	if d.fresh[path] && (strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-journal")) {
		clear(d.gone)
	}
	delete(d.fresh, path)
}

// deleted forgets a file. Where the folder was not synced it may come back.
func (d *disk) deleted(path string, durably bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !durably && d.trouble.keep == "none" {
		d.gone[path] = d.durable[path]
	}
	delete(d.pending, path)
	delete(d.durable, path)
}

func applied(content []byte, changes []change) []byte {
	content = bytes.Clone(content)
	for _, c := range changes {
		if c.data == nil {
			content = resized(content, int(c.offset))
			continue
		}
		end := int(c.offset) + len(c.data)
		content = resized(content, max(len(content), end))
		copy(content[c.offset:], c.data)
	}
	return content
}

func resized(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

// survivors are those of the changes that reached the disk before the power went.
func (d *disk) survivors(changes []change) (out []change) {
	for _, c := range changes {
		switch {
		case d.trouble.keep == "all":
		case d.trouble.keep == "none" || d.random.IntN(2) == 0:
			continue
		case c.data != nil && d.random.IntN(2) == 0: // torn in the middle of a page
			half := len(c.data) / 2
			if d.random.IntN(2) == 0 {
				c.data = c.data[:half]
			} else {
				c = change{c.data[half:], c.offset + int64(half)}
			}
		}
		out = append(out, c)
	}
	return out
}

// restart is the machine after a power cut: the files of the disk hold what was
// durable, and what else made it. Everything that had a file open is gone.
func (d *disk) restart() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, content := range d.gone {
		d.durable[path] = content
	}
	paths := slices.Collect(maps.Keys(d.durable))
	paths = append(paths, slices.Collect(maps.Keys(d.pending))...)
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		content := applied(d.durable[path], d.survivors(d.pending[path]))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// power reports whether there is any.
func (d *disk) power() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.off
}
