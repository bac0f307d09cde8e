//go:build unix

package flow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// This is a layer between SQLite and its own file system (https://sqlite.org/vfs.html,
// "VFS Shims"). Files in the folder of a disk (disk_test.go) pass through it; all
// others never see it.

// An operation on a file, as the disk counts them.
type operation string

const (
	opOpen     operation = "open"
	opWrite    operation = "write"
	opTruncate operation = "truncate"
	opSync     operation = "sync"
	opDelete   operation = "delete"
	opRead     operation = "read"
)

// Functions of SQLite's tables that are replaced: https://sqlite.org/c3ref/io_methods.html
type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	transferFunc = func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// shim is our file system and the one below it. The tables that SQLite keeps are in
// C's memory: the race detector's build refuses a C pointer to Go's. The functions in
// them are Go's, and stay where they are.
var shim struct {
	below  sqlite3.Tsqlite3_vfs
	open   openFunc
	delete deleteFunc

	mu      sync.Mutex
	disks   map[string]*disk // by folder
	files   map[uintptr]*shimFile
	methods map[uintptr]*shimMethods // by the table of the file system below
}

// shimFile is an open file on a disk.
type shimFile struct {
	disk  *disk
	path  string
	below *sqlite3.Tsqlite3_io_methods
}

// shimMethods is a table of ours in C's memory, and the functions in it.
type shimMethods struct {
	table    uintptr
	close    closeFunc
	read     transferFunc
	write    transferFunc
	truncate truncateFunc
	sync     syncFunc
}

// init makes the layer the file system that SQLite uses by itself.
func init() {
	tls := libc.NewTLS()
	s := &shim
	s.disks, s.files, s.methods = map[string]*disk{}, map[uintptr]*shimFile{}, map[uintptr]*shimMethods{}
	s.below = *at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
	where, ours := inC(tls, s.below)
	name, err := libc.CString("shim")
	if err != nil {
		panic(err)
	}
	s.open, s.delete = shimOpen, shimDelete
	ours.FpNext, ours.FzName, ours.FxOpen, ours.FxDelete = 0, name, pointer(&s.open), pointer(&s.delete)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, where, 1); rc != sqlite3.SQLITE_OK {
		panic(fmt.Sprintf("register a file system with SQLite: %d", rc))
	}
}

// inC is a copy of v in C's memory, for ever, and where that is.
func inC[T any](tls *libc.TLS, v T) (uintptr, *T) {
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(v)))
	if p == 0 {
		panic("no memory for a table of SQLite's")
	}
	*at[T](p) = v
	return p, at[T](p)
}

// at is the C structure at p.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointer is a Go function as C's tables hold it, call the function behind such a
// pointer. f must stay where it is.
func pointer[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }
func call[F any](p uintptr) F     { return *(*F)(unsafe.Pointer(&p)) }

// bytesAt are n bytes of C's memory.
func bytesAt(p uintptr, n int32) []byte { return unsafe.Slice(at[byte](p), n) }

func shimOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	below := call[openFunc](shim.below.FxOpen)
	path := ""
	if name != 0 {
		path = libc.GoString(name)
	}
	d := diskOf(path)
	if d == nil {
		return below(tls, vfs, name, file, flags, outFlags)
	}
	at[sqlite3.Tsqlite3_file](file).FpMethods = 0 // SQLite closes what has methods
	if rc := d.before(opOpen, path); rc != sqlite3.SQLITE_OK {
		return rc
	}
	rc := below(tls, vfs, name, file, flags, outFlags)
	if rc == sqlite3.SQLITE_OK {
		d.opened(path)
		f := at[sqlite3.Tsqlite3_file](file)
		shim.mu.Lock()
		shim.files[file] = &shimFile{d, path, at[sqlite3.Tsqlite3_io_methods](f.FpMethods)}
		f.FpMethods = methodsOver(tls, f.FpMethods)
		shim.mu.Unlock()
	}
	return rc
}

// methodsOver is our table over one of the file system below. The caller holds mu.
func methodsOver(tls *libc.TLS, below uintptr) uintptr {
	m := shim.methods[below]
	if m == nil {
		m = &shimMethods{close: shimClose, read: shimRead, write: shimWrite, truncate: shimTruncate, sync: shimSync}
		var t *sqlite3.Tsqlite3_io_methods
		m.table, t = inC(tls, *at[sqlite3.Tsqlite3_io_methods](below))
		t.FiVersion = 2 // without memory mapping, which would pass us by
		t.FxClose, t.FxRead, t.FxWrite = pointer(&m.close), pointer(&m.read), pointer(&m.write)
		t.FxTruncate, t.FxSync = pointer(&m.truncate), pointer(&m.sync)
		shim.methods[below] = m
	}
	return m.table
}

func fileAt(file uintptr) *shimFile {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	return shim.files[file]
}

func shimClose(tls *libc.TLS, file uintptr) int32 {
	shim.mu.Lock()
	f := shim.files[file]
	delete(shim.files, file)
	shim.mu.Unlock()
	return call[closeFunc](f.below.FxClose)(tls, file)
}

func shimRead(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	f := fileAt(file)
	if rc := f.disk.before(opRead, f.path); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return call[transferFunc](f.below.FxRead)(tls, file, buf, n, offset)
}

func shimWrite(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	f := fileAt(file)
	data := bytesAt(buf, n)
	if rc := f.disk.write(f.path, data, offset); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return call[transferFunc](f.below.FxWrite)(tls, file, buf, n, offset)
}

func shimTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileAt(file)
	if rc := f.disk.truncate(f.path, size); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return call[truncateFunc](f.below.FxTruncate)(tls, file, size)
}

func shimSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileAt(file)
	if rc := f.disk.before(opSync, f.path); rc != sqlite3.SQLITE_OK {
		return rc
	}
	rc := call[syncFunc](f.below.FxSync)(tls, file, flags)
	if rc == sqlite3.SQLITE_OK {
		f.disk.synced(f.path)
	}
	return rc
}

func shimDelete(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
	path := libc.GoString(name)
	d := diskOf(path)
	if d != nil {
		if rc := d.before(opDelete, path); rc != sqlite3.SQLITE_OK {
			return rc
		}
		d.deleted(path, syncDir != 0)
	}
	return call[deleteFunc](shim.below.FxDelete)(tls, vfs, name, syncDir)
}

// diskOf is the disk that a path is on; nil for the machine's own.
func diskOf(path string) *disk {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	return shim.disks[filepath.Dir(path)]
}

// mount puts the files of a folder on a disk, unmount takes them off.
func mount(dir string, d *disk) {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	shim.disks[dir] = d
}

func unmount(dir string) {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	delete(shim.disks, dir)
}

// contentOf is what is in a file now; nothing where there is none.
func contentOf(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		panic(err)
	}
	return data
}
