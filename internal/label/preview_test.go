package label

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

func TestPreview(t *testing.T) {
	again := sample
	again.Copy = 2
	got := Default().Preview(again, 32)
	want := strings.TrimPrefix(`
+------------------------------+
| [DataMatrix: AB-000123]      |
| Thermostat                   |
| 1.4.2                        |
| MAC 24:0A:C4:01:02:03        |
| COPY 2                       |
| AB-000123                    |
+------------------------------+`, "\n")
	if got != want {
		t.Errorf("Preview =\n%s\nwant\n%s", got, want)
	}
}

func TestPreviewOrderAndWidth(t *testing.T) {
	template, err := Parse("^XA^FO9,50^FDlast^FS^FO200,10^FDright^FS^FO10,10^FDleft_^FS^FO1,30^BCN^FD{serial}^FS" +
		"^FO1,40^FH^FDa_7E{operator}^FS^FO1,41^BQN^FDQA,x^FS^XZ")
	if err != nil {
		t.Fatal(err)
	}
	f := sample
	f.Serial, f.Operator = "A123456789", "王王王王王\x1b[2J\xFF"
	got := template.Preview(f, 1)
	want := strings.TrimPrefix(`
+----------+
| left_    |
| right    |
| [Code 12 |
| 8: A1234 |
| 56789]   |
| a~王王王 |
| 王王?[2J |
| ?        |
| [bar cod |
| e: QA,x] |
| last     |
+----------+`, "\n")
	if got != want {
		t.Errorf("Preview =\n%s\nwant\n%s", got, want)
	}
	for _, row := range strings.Split(got, "\n") {
		if runewidth.StringWidth(row) != narrowest {
			t.Errorf("%q is %d columns wide", row, runewidth.StringWidth(row))
		}
	}
}
