package efuse

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

type blocks struct {
	Blk0, Blk1, Blk2, Blk3 []string
}

type vectorCase struct {
	Name  string
	Start blocks
	Steps []struct {
		Command string
		KeyFile string `json:"key_file"`
		OK      bool
		Error   string
		After   blocks
	}
}

// words parses register values in hex.
func (b blocks) words(t *testing.T) (w Words) {
	t.Helper()
	for i, list := range [][]string{b.Blk0, b.Blk1, b.Blk2, b.Blk3} {
		if len(list) != blockLen(i) {
			t.Fatalf("BLOCK%d has %d words", i, len(list))
		}
		for j, s := range list {
			v, err := strconv.ParseUint(s, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			w[i][j] = uint32(v)
		}
	}
	return w
}

func loadVectors(t testing.TB) []vectorCase {
	t.Helper()
	data, err := os.ReadFile("testdata/espefuse.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Origin string
		Cases  []vectorCase
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 || file.Origin == "" {
		t.Fatal("no vectors")
	}
	return file.Cases
}

// TestVectors does with our registers sequence, tables and encoders what espefuse
// 4.8.1 did, and wants the same registers afterwards.
func TestVectors(t *testing.T) {
	refusals := map[string]error{ // part of espefuse's message: our reason
		"cannot be cleared":       ErrCannotClear,
		"burn was not successful": ErrCannotClear,
		"Incorrect key file size": ErrKeyLength,
		"is write-protected":      ErrWriteProtected,
	}
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			tool := newTool(t, newFake(t).powerOn(v.Start.words(t)))
			if len(v.Steps) == 0 {
				t.Fatal("no steps")
			}
			for _, step := range v.Steps {
				err := tool.do(step.Command, step.KeyFile)
				if step.OK && err != nil {
					t.Fatalf("%s: %v", step.Command, err)
				}
				if !step.OK {
					var want error
					for part, sentinel := range refusals {
						if strings.Contains(step.Error, part) {
							want = sentinel
						}
					}
					if want == nil || !errors.Is(err, want) {
						t.Fatalf("%s: error %v, want %v (%s)", step.Command, err, want, step.Error)
					}
				}
				got, err := Read(context.Background(), tool.c.regs)
				if err != nil {
					t.Fatal(err)
				}
				if want := step.After.words(t); got.Bytes() != want.Bytes() {
					t.Fatalf("%s: words\n%x\nwant\n%x", step.Command, got.Bytes(), want.Bytes())
				}
			}
		})
	}
}

// tool does single burns as espefuse's commands do, past all planning.
type tool struct {
	t *testing.T
	c controller
}

func newTool(t *testing.T, chip *fakeChip) tool {
	c := controller{link{chip}, timing40(t)}
	if err := c.prepare(context.Background()); err != nil {
		t.Fatal(err)
	}
	return tool{t, c}
}

// burn refuses what cannot be done, then programs the missing bits. stored turns
// them into what the block stores.
func (o tool) burn(block int, mask, want [8]uint32, stored func([8]uint32) [8]uint32) error {
	ctx := context.Background()
	have, err := o.c.words(ctx)
	if err != nil {
		return err
	}
	missing, err := missingBits(without(have[block], without(allBits, mask)), want)
	if err != nil {
		return err
	}
	if name := frozenBy(have, block, missing); name != "" {
		return ErrWriteProtected
	}
	coded := stored(missing)
	if sent, err := o.c.program(ctx, have.chip(), block, &coded); !sent || err != nil {
		return err
	}
	return o.c.reload(ctx)
}

func plain(w [8]uint32) [8]uint32 { return w }

func (o tool) do(command, keyFile string) error {
	words := strings.Fields(command)
	switch words[0] {
	case "burn_key":
		return o.burnKey(words[1:], keyFile)
	case "burn_efuse":
		return o.burnFields(words[1:])
	case "burn_custom_mac":
		raw, err := hex.DecodeString(strings.ReplaceAll(words[1], ":", ""))
		if err != nil {
			o.t.Fatal(err)
		}
		return o.burn(3, allBits, customMACWords([6]byte(raw)), plain)
	case "write_protect_efuse", "read_protect_efuse":
		var bits [8]uint32
		for _, name := range words[1:] {
			f := mustLookup(name)
			if words[0] == "write_protect_efuse" {
				bits[0] |= 1 << f.WrDis
			} else {
				bits[0] |= 1 << (16 + f.RdDis)
			}
		}
		return o.burn(0, bits, bits, plain)
	}
	o.t.Fatalf("unknown command %q", command)
	return nil
}

// burnFields burns values of fields of one block.
func (o tool) burnFields(args []string) error {
	var mask, want [8]uint32
	block := mustLookup(args[0]).Block
	for i := 0; i < len(args); i += 2 {
		f := mustLookup(args[i])
		v, err := strconv.ParseUint(args[i+1], 0, 64)
		if err != nil || f.Block != block {
			o.t.Fatalf("burn_efuse %v: %v", args, err)
		}
		mask, want = join(mask, f.mask()), join(want, f.place(v))
	}
	return o.burn(block, mask, want, plain)
}

// burnKey burns a key, then, unless told otherwise, protects it.
func (o tool) burnKey(args []string, keyFile string) error {
	protect := args[0] != "--no-protect-key"
	if !protect {
		args = args[1:]
	}
	key, err := hex.DecodeString(keyFile)
	if err != nil {
		o.t.Fatal(err)
	}
	have, err := o.c.words(context.Background())
	if err != nil {
		return err
	}
	block, protection := 2, writeDisable(2)
	var want [8]uint32
	switch args[0] {
	case "flash_encryption":
		block, protection = 1, readDisable(1)|writeDisable(1)
		want, err = KeyWords(key, have.Scheme())
	case "secure_boot_v1":
		protection |= readDisable(2)
		want, err = KeyWords(key, have.Scheme())
	case "secure_boot_v2":
		want = digestWords([32]byte(key))
	default:
		o.t.Fatalf("unknown purpose %q", args[0])
	}
	if err != nil {
		return err
	}
	stored := plain
	if have.Scheme() == SchemeThreeQuarters {
		stored = encodeWords
	}
	if err := o.burn(block, allBits, want, stored); err != nil || !protect {
		return err
	}
	return o.burn(0, [8]uint32{protection}, [8]uint32{protection}, plain)
}

// encodeWords codes the first 24 bytes of a block.
func encodeWords(w [8]uint32) [8]uint32 {
	var data [24]byte
	for i := range 6 {
		binary.LittleEndian.PutUint32(data[4*i:], w[i])
	}
	return encodeThreeQuarters(data)
}
