//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"provision/internal/esptool"
)

// envKill has this test binary, when it runs as provision, kill itself at the N-th
// commit of its database: "before N", when nothing of it is on disk yet, or
// "after N", when it is durable and nothing has come of it.
const envKill = "PROVISION_TEST_KILL"

// envMemory has the station accept records in memory, where these tests keep them.
const envMemory = "PROVISION_TEST_MEMORY"

// envCommits names a file that gets a byte for each commit.
const envCommits = "PROVISION_TEST_COMMITS"

// envAdapter names the address of an adapter that every port of the station is at.
const envAdapter = "PROVISION_TEST_ADAPTER"

// init sets the hooks in a station that is to be watched or killed. They are in the
// database, below everything that is ours.
func init() {
	if os.Getenv(envMemory) != "" {
		durable, doubt = func(string) error { return nil }, func(string) string { return "" }
	}
	if addr := os.Getenv(envAdapter); addr != "" {
		openReal = func(context.Context, string, int) (esptool.Port, error) { return openAdapter(addr) }
	}
	var when string
	var n int64
	if text := os.Getenv(envKill); text != "" {
		if _, err := fmt.Sscanf(text, "%s %d", &when, &n); err != nil {
			panic(fmt.Sprintf("%s=%q: %v", envKill, text, err))
		}
	}
	count := os.Getenv(envCommits)
	if when == "" && count == "" {
		return
	}
	var before, after atomic.Int64
	sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
		c.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			if before.Add(1) == n && when == "before" {
				killMyself()
			}
			return 0
		})
		onCommitted(c, func() {
			if after.Add(1) == n && when == "after" {
				killMyself()
			}
			if count != "" {
				addByte(count)
			}
		})
		return nil
	})
}

// killMyself is kill -9: no defer, no signal handler, no buffer is flushed.
func killMyself() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func addByte(path string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write([]byte{'.'})
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		panic(err)
	}
}

// autoCheckpoint is after how many pages SQLite copies the log into the database
// when nobody has set a hook of his own.
const autoCheckpoint = 1000

// hooks keeps the functions alive that only SQLite knows.
var (
	hooksMu sync.Mutex
	hooks   []*walHook
)

// walHook is what sqlite3_wal_hook takes.
type walHook = func(tls *libc.TLS, arg, db, name uintptr, pages int32) int32

// onCommitted calls f when a transaction has been synced to the write-ahead log.
// The driver does not offer that hook, so the connection is asked for its handle.
func onCommitted(c sqlite.ExecQuerierContext, f func()) {
	var hook walHook = func(tls *libc.TLS, _, db, name uintptr, pages int32) int32 {
		f()
		if pages >= autoCheckpoint {
			return sqlite3.Xsqlite3_wal_checkpoint(tls, db, name)
		}
		return sqlite3.SQLITE_OK
	}
	hooksMu.Lock()
	hooks = append(hooks, &hook)
	hooksMu.Unlock()
	handle := reflect.ValueOf(c).Elem().FieldByName("db").Uint()
	tls := libc.NewTLS()
	defer tls.Close()
	// A function's pointer as libc has it: where a Go func value points to.
	sqlite3.Xsqlite3_wal_hook(tls, uintptr(handle), *(*uintptr)(unsafe.Pointer(&hook)), 0)
}
