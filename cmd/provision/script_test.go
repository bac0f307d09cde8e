//go:build unix

package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"provision/internal/demo"
)

// TestMain lets scripts run this very program as provision. More of them run at
// once than there are processors: they wait for reset lines and disks.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"provision": main})
}

// TestScript runs testdata/script: what an operator or another program sees, one
// story a file. Each starts in a folder with line.toml, the firmware of package
// demo in product/, and a real build of ESP-IDF in hello/.
func TestScript(t *testing.T) {
	// A signal that is ignored here, as under nohup, would be ignored by every
	// program of the scripts. One that is handled is not handed on.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUp,
		Condition:           condition,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"nobody":      nobodyExits,
			"says":        says,
			"jsonlines":   jsonLines,
			"jsonlast":    jsonLast,
			"jsonrun":     jsonRun,
			"noleak":      noLeak,
			"capture":     capture,
			"save":        save,
			"same":        same,
			"edit":        edit,
			"corrupt":     corrupt,
			"truncate":    truncate,
			"slice":       slice,
			"equal":       equal,
			"start":       start,
			"await":       await,
			"signal":      sendSignal,
			"finish":      finish,
			"silentport":  silentPort,
			"rfc2217port": rfc2217Port,
			"sql":         sqlExec,
			"ageidentity": ageIdentity,
		},
	})
}

// condition knows [race]: scripts that tell the race detector nothing new skip
// then, because every program they run is five times slower.
func condition(name string) (bool, error) {
	if name != "race" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return raceDetector, nil
}

// setUp fills a script's folder, and keeps it apart from the user's own records
// and virtual chips.
func setUp(env *testscript.Env) error {
	firmware, err := product()
	if err != nil {
		return err
	}
	for path, data := range firmware {
		path = filepath.Join(env.WorkDir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s is a name of the common set-up", path)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
	env.Setenv("USER", "anna")
	if env.Getenv("GORACE") == "" {
		env.Setenv("GORACE", "atexit_sleep_ms=0") // the default is a second for each process
	}
	env.Values[processes{}] = map[string]*process{}
	env.Values[snapshots{}] = map[string]map[string]string{}
	return nil
}

// product is what setUp writes, made once: path and content.
var product = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "provision-product-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := demo.Write(dir); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, from := range []struct{ dir, pattern, to string }{
		{dir, "*", "product"},
		{"testdata/hello-esp32", "*.bin", "hello"},
		{"testdata", "line.toml", "."},
	} {
		names, err := filepath.Glob(filepath.Join(from.dir, from.pattern))
		if err != nil || len(names) == 0 {
			return nil, fmt.Errorf("nothing like %s in %s: %v", from.pattern, from.dir, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			files[filepath.Join(from.to, filepath.Base(name))] = data
		}
	}
	return files, nil
})
