package keys

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestRemoveLeftovers: what a killed program left goes; what another may be writing
// now, and everything else, stays.
func TestRemoveLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "station-identity.txt")
	now := time.Now()
	for name, age := range map[string]time.Duration{".identity-1": 2 * time.Hour, ".identity-2": time.Minute, "station-identity.txt": 9 * time.Hour, ".other": 9 * time.Hour} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".identity-folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := RemoveLeftovers(path, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".identity-2", ".identity-folder", ".other", "station-identity.txt"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if err := RemoveLeftovers(filepath.Join(dir, "nowhere", "identity.txt"), now); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
}
