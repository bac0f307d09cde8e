package efuse

import "testing"

// TestBurnableAgrees wants the mask of what may be burnt to say what the table says.
func TestBurnableAgrees(t *testing.T) {
	for _, f := range Fields() {
		if f.Block != 0 || f.Name == "WR_DIS" || f.Name == "RD_DIS" {
			continue
		}
		if left := count(without(f.mask(), burnable)); (f.Never == "") != (left == 0) || left != 0 && left != f.Len {
			t.Errorf("%s: never %q, but %d of %d bits may not be burnt", f.Name, f.Never, left, f.Len)
		}
		if (f.Never == "") != (f.Irrevocably != "") {
			t.Errorf("%s: never %q, irrevocably %q", f.Name, f.Never, f.Irrevocably)
		}
	}
}
