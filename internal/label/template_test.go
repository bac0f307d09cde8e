package label

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var sample = Fields{
	Serial: "AB-000123", MAC: "24:0A:C4:01:02:03", Job: "J7", Revision: "2", Product: "Thermostat",
	Version: "1.4.2", At: time.Date(2026, 1, 31, 16, 5, 9, 0, time.UTC), Station: "EOL 1", Operator: "Ana",
}

// small wraps data in the least template that can be used; the extra stands before it.
func small(extra string) string {
	return "^XA\n" + extra + "^FO1,1^BXN,5,200^FD{serial}^FS\n^XZ"
}

func TestRender(t *testing.T) {
	for _, v := range []struct{ name, template, want string }{
		{"least", small(""), "^XA^CI28\n^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS\n^XZ"},
		{"text is left alone", small("^FO2,2^FDa_5E {{serial}^FS"), "^XA^CI28\n^FO2,2^FDa_5E {serial}^FS^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS\n^XZ"},
		{"text beside a value", "^XA^CI28^FO2,2^A0N,20,18^FDMAC_{mac}\r\n^FS^FO1,1^BXN,5,200^FD{serial}^FS^XZ",
			"^XA^CI28^FO2,2^A0N,20,18^FH_^FDMAC_5F24:0A:C4:01:02:03^FS^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS^XZ"},
		{"a mark of the template's own", `^XA^CI28^FO2,2^FH\^FD\7E\5e_{job}^FS^FO1,1^FH\^BXN,5,200,0,0,1,~,1^FD{serial}^FS^XZ`,
			"^XA^CI28^FO2,2^FH_^FD_7E_5E_5FJ7^FS^FO1,1^BXN,5,200,0,0,1,_,1^FH_^FDAB-000123^FS^XZ"},
		{"a mark for text", small(`^FH\^FD\7E^FS`), `^XA^CI28` + "\n" + `^FH\^FD\7E^FS^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS` + "\n^XZ"},
		{"a comment", small("^FX about {nothing}\n^FS"), "^XA^CI28\n^FS^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS\n^XZ"},
		{"set up first", "^xa^mnw^xz" + small(""), "^XA^CI28^MNw^XZ^XA\n^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS\n^XZ"},
		{"byte order mark", "\uFEFF" + small(""), "^XA^CI28\n^FO1,1^BXN,5,200,,,,_^FH_^FDAB-000123^FS\n^XZ"},
		{"Code 128", "^XA^CI28^BY2^BCN,80,Y,N,N^FD{serial}^FS^XZ", "^XA^CI28^BY2^BCN,80,Y,N,N,,^FH_^FDAB-000123^FS^XZ"},
		{"field variable", "^XA^CI28^BXN,5,200^FV{serial}^FS^XZ", "^XA^CI28^BXN,5,200,,,,_^FH_^FVAB-000123^FS^XZ"},
		{"every field", "^XA^CI28^FD{mac_plain},{job},{revision},{product},{version},{date},{time},{station},{operator},{copy}^FS^BXN,5,200^FD{serial}^FS^XZ",
			"^XA^CI28^FH_^FD240AC4010203,J7,2,Thermostat,1.4.2,2026-01-31,16:05,EOL 1,Ana,^FS^BXN,5,200,,,,_^FH_^FDAB-000123^FS^XZ"},
	} {
		t.Run(v.name, func(t *testing.T) {
			template, err := Parse(v.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Render(sample)
			if err != nil || string(got) != v.want {
				t.Errorf("Render = %q, %v; want %q", got, err, v.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, v := range []struct{ name, template, says string }{
		{"empty", "", "^XA"},
		{"no start", "^FX only\n", "^XA"},
		{"no end", "^XA^BXN,5,200^FD{serial}^FS", "^XZ"},
		{"two starts", "^XA\n^XA", "line 2"},
		{"end only", "\n^XZ", "line 2"},
		{"control commands start nothing", "~XA^XZ", "^XZ"},
		{"text first", "hello" + small(""), "line 1"},
		{"no serial", "^XA^BXN,5,200^FD{mac}^FS^XZ", "{serial}"},
		{"serial as text only", "^XA^FD{serial}^FS^XZ", "scanned back"},
		{"unknown field", small("^FO1,1\n^FDa\n{seral}^FS"), "line 4: there is no field {seral}; the nearest is {serial}"},
		{"unknown field, far off", small("^FD{mac_plan}^FS"), "{mac_plain}"},
		{"open brace", small("^FD{serial^FS"), "line 2: there is a {"},
		{"brace in brace", small("^FD{{{a{serial}^FS"), "line 2"},
		{"field in a command", small("^FO{serial},1"), "^FO"},
		{"field in a control command", small("~FD{serial}"), "~FD"[1:]},
		{"data outside", "^FD{serial}^FS" + small(""), "outside"},
		{"bare caret", small("^FDa^ b^FS"), "without a command"},
		{"other prefix", small("^CC!"), "^CC"},
		{"other prefix at once", "~CT!" + small(""), "~CT"},
		{"other character set", small("^CI0"), "^CI28"},
		{"two labels", small("^PQ2"), "more than one"},
		{"two of each", small("^PQ1,0,2"), "more than one"},
		{"old picture stays", small("^MCN"), "^MCN"},
		{"old quality", "^XA^BXN,5,140^FD{serial}^FS^XZ", "200"},
		{"code of more", "^XA^BXN,5,200^FD{serial}-{mac}^FS^XZ", "alone"},
		{"code with text", "^XA^BXN,5,200^FDS{serial}^FS^XZ", "alone"},
		{"check digit", "^XA^BCN,80,Y,N,Y^FD{serial}^FS^XZ", "check digit"},
		{"mode", "^XA^BCN,80,Y,N,N,A^FD{serial}^FS^XZ", "mode"},
		{"another code", "^XA^BQN,2,5^FD{serial}^FS^XZ", "^BX"},
		{"binary", small("^GFB,1,1,1,\x00"), "line 2"},
		{"not UTF-8", small("^FD\xE4^FS"), "line 2"},
		{"huge", small(strings.Repeat(" ", maxTemplate)), "bytes"},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := Parse(v.template)
			if !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), v.says) {
				t.Errorf("Parse = %v; want ErrTemplate that says %q", err, v.says)
			}
		})
	}
}

func TestDefault(t *testing.T) {
	zpl, err := Default().Render(sample)
	if err != nil {
		t.Fatal(err)
	}
	if got := Codes(zpl); !slices.Equal(got, []string{sample.Serial}) {
		t.Errorf("Codes = %q", got)
	}
	for _, want := range []string{"^FDMAC 24:0A:C4:01:02:03^FS", "^FDThermostat^FS", "^FD1.4.2^FS", "^FDAB-000123^FS", "^FD^FS"} {
		if !strings.Contains(string(zpl), want) {
			t.Errorf("the label has no %q:\n%s", want, zpl)
		}
	}
	again := sample
	again.Copy = 2
	if zpl, err = Default().Render(again); err != nil || !strings.Contains(string(zpl), "^FDCOPY 2^FS") {
		t.Errorf("second label: %v\n%s", err, zpl)
	}
}

// hostile serial numbers hold everything that means something to a printer.
var hostile = []string{
	"^XA", "^FS^XZ^XA^FDX^FS^XZ", "~HS", "~JR", "_", "__", "_5E", "_5F_7E", "___", "_1", "_d065", "~1", "~~", `\5E`, `\&`,
	">", "><", ">;>", ">0>=", "{serial}", "a,b", "a{b", "`", strings.Repeat("_", maxValue), strings.Repeat("^", maxValue),
}

func TestHostileValuesStayValues(t *testing.T) {
	template, err := Parse("^XA^FO1,1^BXN,5,200^FD{serial}^FS^BCN,80,Y,N,N^FD{serial}^FS^FH!^FDNo. {serial}!5E{operator}^FS" +
		"^BXN,5,200,,,,!^FV{mac}^FS^XZ")
	if err != nil {
		t.Fatal(err)
	}
	plain := render(t, template, sample)
	for _, s := range hostile {
		f := sample
		f.Serial, f.Operator, f.MAC = s, s, s
		zpl := render(t, template, f)
		if got := Codes(zpl); !slices.Equal(got, []string{s, s, s}) {
			t.Errorf("%q: the bar codes hold %q\n%s", s, got, zpl)
		}
		if got, want := names(zpl), names(plain); !slices.Equal(got, want) {
			t.Errorf("%q: the label has the commands %q, not %q", s, got, want)
		}
	}
}

func render(t *testing.T, template *Template, f Fields) []byte {
	t.Helper()
	zpl, err := template.Render(f)
	if err != nil {
		t.Fatalf("Render(%q): %v", f.Serial, err)
	}
	return zpl
}

// names returns prefix and name of every command, the shape of a label.
func names(zpl []byte) []string {
	var shape []string
	_, list := split(string(zpl))
	for _, c := range list {
		shape = append(shape, string(c.prefix)+c.name)
	}
	return shape
}

func TestRenderRefuses(t *testing.T) {
	template, err := Parse("^XA^BXN,5,200^FD{serial}^FS^BCN,80^FD{mac}^FS^FB200,2^FD{product}^FS^TBN,200,50^FD{version}^FS^FD{operator}^FS^XZ")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name   string
		change func(*Fields)
		ok     bool
	}{
		{"as it is", func(f *Fields) {}, true},
		{"a name", func(f *Fields) { f.Operator = "Zoë 王" }, true},
		{"no name", func(f *Fields) { f.Operator = "" }, true},
		{"64 characters", func(f *Fields) { f.Operator = strings.Repeat("é", 64) }, true},
		{"65 characters", func(f *Fields) { f.Operator = strings.Repeat("e", 65) }, false},
		{"no serial", func(f *Fields) { f.Serial = "" }, false},
		{"empty bar code", func(f *Fields) { f.MAC = "" }, false},
		{"bar code of a letter that scanners do not send", func(f *Fields) { f.Serial = "É1" }, false},
		{"space at an end", func(f *Fields) { f.Serial = "A1 " }, false},
		{"line feed", func(f *Fields) { f.Operator = "a\nb" }, false},
		{"escape", func(f *Fields) { f.Serial = "a\x1bb" }, false},
		{"right to left override", func(f *Fields) { f.Operator = "a\u202Eb" }, false},
		{"not UTF-8", func(f *Fields) { f.Operator = "\xFF" }, false},
		{"order to a field block", func(f *Fields) { f.Product = `a\&b` }, false},
		{"order to a text block", func(f *Fields) { f.Version = "<1>" }, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			f := sample
			v.change(&f)
			zpl, err := template.Render(f)
			if v.ok && (err != nil || !strings.Contains(string(zpl), f.Operator)) || !v.ok && !errors.Is(err, ErrValue) {
				t.Errorf("Render = %q, %v; want ok %v", zpl, err, v.ok)
			}
		})
	}
}

func TestRefusedValueIsNamed(t *testing.T) {
	f := sample
	f.Product = strings.Repeat("x", 100)
	if _, err := Default().Render(f); err == nil || !strings.Contains(err.Error(), "{product}") {
		t.Errorf("Render = %v; want an error that names {product}", err)
	}
}

func TestFieldNames(t *testing.T) {
	for _, name := range FieldNames() {
		f := sample
		f.Copy = 3
		if f.value(name) == "" {
			t.Errorf("{%s} is empty", name)
		}
	}
	if v := (Fields{}).value(Date) + (Fields{}).value(Time); v != "" {
		t.Errorf("without a moment: %q", v)
	}
}

func TestCodes(t *testing.T) {
	for _, v := range []struct {
		zpl  string
		want []string
	}{
		{"", nil},
		{"^XA^FDtext^FS^XZ", nil},
		{"^XA^BXN,5,200^FDa_b^FS^BXN,5,200^FDa~5b^FS^XZ", []string{"a_b", "a~5b"}}, // a tilde is the default
		{"^XA^BXN,5,200,,,,#^FDa##b^FS^XZ", []string{"a#b"}},
		{"^XA^BXN,5,140^FDa__b^FS^XZ", []string{"a__b"}},
		{"^XA^FH^BXN,5,200,,,,_^FDa_5F_5Fb_4^FS^XZ", []string{"a_b_4"}},
		{"^XA^BY2^BCN^FDa>0b\r\n^FS^FDc^FS^XZ", []string{"a>b"}},
		{"^XA^BQN,2,5^FDQA,hello^FS^XZ", []string{"QA,hello"}},
		{"^XA^BXN,5,200^FS^FDtext^FS^BXN,5,200^FD^FS^XZ", nil},
	} {
		if got := Codes([]byte(v.zpl)); !slices.Equal(got, v.want) {
			t.Errorf("Codes(%q) = %q, want %q", v.zpl, got, v.want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(defaultTemplate, "AB-000123")
	f.Add(`^XA^FO2,2^FH\^FD\7E_{serial}^FS^FH\^BXN,5,200,0,0,1,~,1^FD{serial}^FS^BCN^FD{serial}^FS^XZ`, "_^~>")
	f.Add("^XA~FD^FVx{{^FS^XZ^XA^BXN,5,200^FV{serial}^XZ", "a")
	for _, s := range hostile {
		f.Add(small("^FD{serial}{operator}^FS"), s)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		template, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrTemplate) {
				t.Fatalf("Parse: %v", err)
			}
			return
		}
		for _, row := range strings.Split(template.Preview(Fields{Serial: value, Operator: value}, 30), "\n") {
			if strings.ContainsFunc(row, unprintable) {
				t.Fatalf("the preview holds %q", row)
			}
		}
		all := Fields{value, value, value, value, value, value, sample.At, value, value, 2}
		zpl, err := template.Render(all)
		if err != nil {
			if !errors.Is(err, ErrValue) {
				t.Fatalf("Render: %v", err)
			}
			return
		}
		plain, err := template.Render(Fields{"a", "a", "a", "a", "a", "a", sample.At, "a", "a", 2})
		if err != nil {
			t.Fatalf("Render of plain values: %v", err)
		}
		if got, want := names(zpl), names(plain); !slices.Equal(got, want) {
			t.Fatalf("%q changes the commands: %q, not %q", value, got, want)
		}
		if !slices.Contains(Codes(zpl), value) {
			t.Fatalf("no bar code holds %q: %q\n%s", value, Codes(zpl), zpl)
		}
	})
}
