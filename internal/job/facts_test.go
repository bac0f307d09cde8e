package job

import (
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// factsOf are the facts of a job's files, each with its place.
func factsOf(t *testing.T, j *Job) (all Facts, offsets [3]uint32) {
	t.Helper()
	for _, f := range j.Facts {
		i := slices.IndexFunc(j.Regions, func(r Region) bool { return r.Firmware == f.SHA256 && r.Offset == f.Offset })
		if i < 0 {
			t.Errorf("facts of a file that goes nowhere: %+v", f)
		}
		switch {
		case f.Facts.Bootloader != nil:
			all.Bootloader, offsets[0] = f.Facts.Bootloader, f.Offset
		case f.Facts.Table != nil:
			all.Table, offsets[1] = f.Facts.Table, f.Offset
		case f.Facts.App != nil:
			all.App, offsets[2] = f.Facts.App, f.Offset
		}
	}
	if len(j.Facts) != 3 {
		t.Errorf("%d facts, want 3", len(j.Facts))
	}
	return all, offsets
}

func TestFacts(t *testing.T) {
	f := newFolder(t)
	j, err := f.job()
	if err != nil {
		t.Fatal(err)
	}
	got, offsets := factsOf(t, j)
	if offsets != [3]uint32{0x1000, 0x8000, 0x20000} {
		t.Errorf("offsets %#x", offsets)
	}
	if want := (&BootloaderFacts{Checks: true, AppKeys: []string{j.Signer}, SecureBoot: 1, FlashSize: 4 << 20, IDF: "v5.2-demo"}); !reflect.DeepEqual(got.Bootloader, want) {
		t.Errorf("bootloader %+v, want %+v", got.Bootloader, want)
	}
	if want := (&AppFacts{MaxRev: 399, Size: len(f.read("app-signed.bin")), Scheme: 1, Signer: j.Signer}); !reflect.DeepEqual(got.App, want) {
		t.Errorf("app %+v, want %+v", got.App, want)
	}
	table, err := image.ParseTable(got.Table.Binary)
	if err != nil || !reflect.DeepEqual(table, j.Table) {
		t.Errorf("table %+v, %v; want %+v", table, err, j.Table)
	}
	if n := len(got.Table.Binary); n != 32*(len(j.Table.Partitions)+2) {
		t.Errorf("%d bytes of table for %d partitions", n, len(j.Table.Partitions))
	}
}

// TestFactsStayReadable: records keep them for as long as there are units.
func TestFactsStayReadable(t *testing.T) {
	all := Facts{
		Bootloader: &BootloaderFacts{Silent: true, Checks: true, AppKeys: []string{"ab"}, SecureBoot: 1, AntiRollback: true, FlashSize: 4194304, IDF: "v5.2"},
		Table:      &TableFacts{Binary: []byte{0xAA, 0x50}},
		App:        &AppFacts{Chip: 9, MinRev: 100, MaxRev: 399, Size: 7, SecureVersion: 3, Scheme: 2, Signer: "cd"},
	}
	const want = `{"bootloader":{"silent":true,"checks_apps":true,"app_keys":["ab"],"secure_boot":1,"anti_rollback":true,"flash_size":4194304,"idf_version":"v5.2"},` +
		`"partition_table":{"binary":"qlA="},` +
		`"app":{"chip_id":9,"min_revision":100,"max_revision":399,"size":7,"secure_version":3,"signature_scheme":2,"signer":"cd"}}`
	text, err := json.Marshal(all)
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	var back Facts
	if err := json.Unmarshal([]byte(want), &back); err != nil || !reflect.DeepEqual(back, all) {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestFactsOfTheSameTableElsewhere: a table made from CSV is another one at another
// place.
func TestFactsOfTheSameTableElsewhere(t *testing.T) {
	f := newFolder(t)
	f.write("table.csv", []byte("nvs,data,nvs,,0x6000\nota_0,app,ota_0,,1M\n"))
	edits := []string{"partition-table.bin", "table.csv"}
	var binaries [2][]byte
	var files [2]string
	for i, more := range [][]string{nil, {"partition_table =", "partition_table_offset = 0x9000\npartition_table ="}} {
		j, err := f.job(append(slices.Clone(more), edits...)...)
		if err != nil {
			t.Fatal(err)
		}
		all, offsets := factsOf(t, j)
		binaries[i], files[i] = all.Table.Binary, j.Firmware[1].SHA256
		if offsets[1] != []uint32{0x8000, 0x9000}[i] {
			t.Errorf("table at %#x", offsets[1])
		}
	}
	if files[0] != files[1] || slices.Equal(binaries[0], binaries[1]) {
		t.Error("the same file at another place has to give another table")
	}
}

func TestSignerOf(t *testing.T) {
	f := newFolder(t)
	pub, err := secureboot.ParsePublicKeyV1(f.read("app-public.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, digest := recordedRSA(t)
	plain, ours := f.read("app.bin"), f.read("app-signed.bin")
	v2, err := secureboot.AppendSignatureV2(key, plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		data   []byte
		pub    *secureboot.PublicKeyV1
		scheme int
		signer string
	}{
		"not signed":            {plain, &pub, 0, ""},
		"signed":                {ours, &pub, 1, pub.Fingerprint()},
		"key not known":         {ours, nil, 1, ""},
		"other key":             {ours, &secureboot.PublicKeyV1{}, 1, ""},
		"bytes behind":          {append(slices.Clone(ours), "trailer"...), &pub, 1, pub.Fingerprint()},
		"V2":                    {v2, nil, 2, digest},
		"V2 with damaged block": {v2[:len(v2)-3000], nil, 0, ""},
	} {
		im, err := image.Parse(v.data)
		if err != nil {
			t.Fatal(err)
		}
		if scheme, signer := signerOf(v.data, im, v.pub); scheme != v.scheme || signer != v.signer {
			t.Errorf("%s: scheme %d by %q, want %d by %q", name, scheme, signer, v.scheme, v.signer)
		}
	}
}

// recordedRSA is a V2 key of espsecure's recorded answers, and its digest.
func recordedRSA(t *testing.T) (*secureboot.SigningKey, string) {
	t.Helper()
	data, err := os.ReadFile("../secureboot/testdata/espsecure.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		V2 []struct {
			PEM string `json:"private_key_pem"`
		} `json:"secure_boot_v2_rsa"`
	}
	if err := json.Unmarshal(data, &recorded); err != nil || len(recorded.V2) == 0 {
		t.Fatal(err)
	}
	key, err := secureboot.ParseSigningKey([]byte(recorded.V2[0].PEM))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := secureboot.KeyDigestV2(key.Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return key, hex.EncodeToString(digest[:])
}

// TestFactsOfRealBootloaders: of ESP-IDF 5.2, without secure boot; and the marks of
// anti-rollback, of which one is left where only errors are logged.
func TestFactsOfRealBootloaders(t *testing.T) {
	bin, err := os.ReadFile("../image/testdata/bootloader.bin")
	if err != nil {
		t.Fatal(err)
	}
	im, err := image.Parse(bin)
	if err != nil {
		t.Fatal(err)
	}
	got := bootloaderFacts(bin, im, nil)
	if got.Silent || got.Checks || got.AntiRollback || got.SecureBoot != 0 || got.AppKeys != nil || got.IDF == "" {
		t.Errorf("%+v", got)
	}
	for _, mark := range []string{msgAntiRollback, errorsAntiRollback} {
		if !bootloaderFacts(append(slices.Clone(bin), mark...), im, nil).AntiRollback {
			t.Errorf("%q does not tell of anti-rollback", mark)
		}
	}
}
