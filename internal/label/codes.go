package label

// Codes returns what a scanner reads from each bar code of a label, in the order of
// the label: the data as they were before Render escaped them. Orders to the bar
// code that a template may hold (such as the mode in front of a QR code's data) are
// returned as written. Bar codes without data are left out.
func Codes(zpl []byte) []string {
	var codes []string
	var d draft
	_, list := split(string(zpl))
	for _, c := range list {
		if !d.note(c) {
			continue
		}
		if data := oneLine(c.param); d.code != "" && data != "" {
			codes = append(codes, d.symbolUnescape(unescape(data, d.mark)))
		}
		d = draft{}
	}
	return codes
}
