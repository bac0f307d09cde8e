package board

import "strings"

// Block letters, so that a word is read from two metres away. A letter is drawn
// from pixels: five rows high, five columns wide, or three where there is less
// room. Words with other characters have no block letters.

// wide is the font of five columns, rows from top to bottom.
var wide = map[rune][5]string{
	'A': {" ### ", "#   #", "#####", "#   #", "#   #"},
	'B': {"#### ", "#   #", "#### ", "#   #", "#### "},
	'C': {" ####", "#    ", "#    ", "#    ", " ####"},
	'D': {"#### ", "#   #", "#   #", "#   #", "#### "},
	'E': {"#####", "#    ", "#### ", "#    ", "#####"},
	'F': {"#####", "#    ", "#### ", "#    ", "#    "},
	'G': {" ####", "#    ", "#  ##", "#   #", " ### "},
	'H': {"#   #", "#   #", "#####", "#   #", "#   #"},
	'I': {"#####", "  #  ", "  #  ", "  #  ", "#####"},
	'J': {"  ###", "   # ", "   # ", "#  # ", " ##  "},
	'K': {"#   #", "#  # ", "###  ", "#  # ", "#   #"},
	'L': {"#    ", "#    ", "#    ", "#    ", "#####"},
	'M': {"#   #", "## ##", "# # #", "#   #", "#   #"},
	'N': {"#   #", "##  #", "# # #", "#  ##", "#   #"},
	'O': {" ### ", "#   #", "#   #", "#   #", " ### "},
	'P': {"#### ", "#   #", "#### ", "#    ", "#    "},
	'Q': {" ### ", "#   #", "# # #", "#  # ", " ## #"},
	'R': {"#### ", "#   #", "#### ", "#  # ", "#   #"},
	'S': {" ####", "#    ", " ### ", "    #", "#### "},
	'T': {"#####", "  #  ", "  #  ", "  #  ", "  #  "},
	'U': {"#   #", "#   #", "#   #", "#   #", " ### "},
	'V': {"#   #", "#   #", "#   #", " # # ", "  #  "},
	'W': {"#   #", "#   #", "# # #", "## ##", "#   #"},
	'X': {"#   #", " # # ", "  #  ", " # # ", "#   #"},
	'Y': {"#   #", " # # ", "  #  ", "  #  ", "  #  "},
	'Z': {"#####", "   # ", "  #  ", " #   ", "#####"},
	'0': {" ### ", "#  ##", "# # #", "##  #", " ### "},
	'1': {"  #  ", " ##  ", "  #  ", "  #  ", "#####"},
	'2': {"#### ", "    #", " ### ", "#    ", "#####"},
	'3': {"#### ", "    #", " ### ", "    #", "#### "},
	'4': {"#  # ", "#  # ", "#####", "   # ", "   # "},
	'5': {"#####", "#    ", "#### ", "    #", "#### "},
	'6': {" ### ", "#    ", "#### ", "#   #", " ### "},
	'7': {"#####", "   # ", "  #  ", " #   ", " #   "},
	'8': {" ### ", "#   #", " ### ", "#   #", " ### "},
	'9': {" ### ", "#   #", " ####", "    #", " ### "},
	'Ä': {"#   #", " ### ", "#   #", "#####", "#   #"},
	'Ö': {"#   #", " ### ", "#   #", "#   #", " ### "},
	'Ü': {"#   #", "     ", "#   #", "#   #", " ### "},
	'-': {"     ", "     ", "#####", "     ", "     "},
	'?': {" ### ", "#   #", "  ## ", "     ", "  #  "},
	' ': {"   ", "   ", "   ", "   ", "   "},
}

// narrow is the font of three columns.
var narrow = map[rune][5]string{
	'A': {" # ", "# #", "###", "# #", "# #"},
	'B': {"## ", "# #", "## ", "# #", "## "},
	'C': {" ##", "#  ", "#  ", "#  ", " ##"},
	'D': {"## ", "# #", "# #", "# #", "## "},
	'E': {"###", "#  ", "## ", "#  ", "###"},
	'F': {"###", "#  ", "## ", "#  ", "#  "},
	'G': {" ##", "#  ", "# #", "# #", " ##"},
	'H': {"# #", "# #", "###", "# #", "# #"},
	'I': {"###", " # ", " # ", " # ", "###"},
	'J': {"  #", "  #", "  #", "# #", " # "},
	'K': {"# #", "# #", "## ", "# #", "# #"},
	'L': {"#  ", "#  ", "#  ", "#  ", "###"},
	'M': {"# #", "###", "###", "# #", "# #"},
	'N': {"## ", "# #", "# #", "# #", "# #"},
	'O': {"###", "# #", "# #", "# #", "###"},
	'P': {"###", "# #", "###", "#  ", "#  "},
	'Q': {"###", "# #", "# #", "###", "  #"},
	'R': {"## ", "# #", "## ", "# #", "# #"},
	'S': {"###", "#  ", "###", "  #", "###"},
	'T': {"###", " # ", " # ", " # ", " # "},
	'U': {"# #", "# #", "# #", "# #", "###"},
	'V': {"# #", "# #", "# #", "# #", " # "},
	'W': {"# #", "# #", "###", "###", "# #"},
	'X': {"# #", "# #", " # ", "# #", "# #"},
	'Y': {"# #", "# #", " # ", " # ", " # "},
	'Z': {"###", "  #", " # ", "#  ", "###"},
	'0': {"###", "# #", "# #", "# #", "###"},
	'1': {" # ", "## ", " # ", " # ", "###"},
	'2': {"## ", "  #", " # ", "#  ", "###"},
	'3': {"## ", "  #", "## ", "  #", "## "},
	'4': {"# #", "# #", "###", "  #", "  #"},
	'5': {"###", "#  ", "## ", "  #", "## "},
	'6': {" ##", "#  ", "###", "# #", "###"},
	'7': {"###", "  #", " # ", " # ", " # "},
	'8': {"###", "# #", "###", "# #", "###"},
	'9': {"###", "# #", "###", "  #", "## "},
	'-': {"   ", "   ", "###", "   ", "   "},
	'?': {"## ", "  #", " # ", "   ", " # "},
	' ': {"  ", "  ", "  ", "  ", "  "},
}

// lined is a font of three rows for terminals without block characters, drawn
// with strokes.
var lined = map[rune][3]string{
	'A': {" _ ", "|_|", "| |"}, 'B': {" _ ", "|_)", "|_)"}, 'C': {" _ ", "|  ", "|_ "},
	'D': {" _ ", "| \\", "|_/"}, 'E': {" _ ", "|_ ", "|_ "}, 'F': {" _ ", "|_ ", "|  "},
	'G': {" _ ", "| _", "|_|"}, 'H': {"   ", "|_|", "| |"}, 'I': {"_", "|", "|"},
	'J': {"   ", "  |", "|_|"}, 'K': {"   ", "|/ ", "|\\ "}, 'L': {"   ", "|  ", "|_ "},
	'M': {"    ", "|\\/|", "|  |"}, 'N': {"    ", "|\\ |", "| \\|"}, 'O': {" _ ", "| |", "|_|"},
	'P': {" _ ", "|_|", "|  "}, 'Q': {" _ ", "| |", "|_\\"}, 'R': {" _ ", "|_|", "| \\"},
	'S': {" _ ", "|_ ", " _|"}, 'T': {"___", " | ", " | "}, 'U': {"   ", "| |", "|_|"},
	'V': {"    ", "\\  /", " \\/ "}, 'W': {"    ", "|  |", "|/\\|"}, 'X': {"  ", "\\/", "/\\"},
	'Y': {"   ", "\\_/", " | "}, 'Z': {"__ ", " / ", "/__"},
	'0': {" _ ", "|/|", "|_|"}, '1': {"   ", "/| ", " | "}, '2': {" _ ", " _|", "|_ "},
	'3': {"_ ", "_|", "_|"}, '4': {"   ", "|_|", "  |"}, '5': {" _ ", "|_ ", "._|"},
	'6': {" _ ", "|_ ", "|_|"}, '7': {"__ ", " / ", "/  "}, '8': {" _ ", "|_|", "|_|"},
	'9': {" _ ", "|_|", "._|"}, '-': {"   ", "___", "   "}, '?': {" _ ", " _|", " . "},
	' ': {"  ", "  ", "  "},
}

// pixels is word in a font of five rows, a blank column between letters.
func pixels(word string, font map[rune][5]string) []string {
	var rows [5]strings.Builder
	for i, r := range []rune(word) {
		shape := font[r]
		for y := range rows {
			if i > 0 {
				rows[y].WriteByte(' ')
			}
			rows[y].WriteString(shape[y])
		}
	}
	out := make([]string, len(rows))
	for y := range rows {
		out[y] = rows[y].String()
	}
	return out
}

// scaled draws pixels as blocks of sx columns and sy rows.
func scaled(px []string, sx, sy int, lk look) []string {
	block := "█"
	if lk.ascii {
		block = "#"
	}
	var out []string
	for _, row := range px {
		line := strings.ReplaceAll(repeatEach(row, sx), "#", block)
		for range sy {
			out = append(out, line)
		}
	}
	return out
}

func repeatEach(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(strings.Repeat(string(r), n))
	}
	return b.String()
}

// halved draws five rows of pixels in three, with half blocks.
func halved(px []string) []string {
	out := make([]string, 0, 3)
	for y := 0; y < len(px); y += 2 {
		var b strings.Builder
		for x := range px[y] {
			upper, lower := px[y][x] == '#', y+1 < len(px) && px[y+1][x] == '#'
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		out = append(out, b.String())
	}
	return out
}

// stroked is word in the font of strokes.
func stroked(word string) []string {
	var rows [3]strings.Builder
	for i, r := range []rune(word) {
		shape := lined[r]
		for y := range rows {
			if i > 0 {
				rows[y].WriteByte(' ')
			}
			rows[y].WriteString(shape[y])
		}
	}
	return []string{rows[0].String(), rows[1].String(), rows[2].String()}
}

// Rows of block letters. One slot has tall ones, up to four have small ones at least.
const (
	tall  = 5
	small = 3
)

// scales are the sizes of block letters, largest first: columns and rows of one
// pixel. A cell is twice as high as wide.
var scales = [...][2]int{{6, 3}, {5, 2}, {4, 2}, {3, 2}, {3, 1}, {2, 1}, {1, 1}}

// letters draws text as large as it fits into w columns and h rows, on several
// lines where that makes it larger. It is nil where nothing fits or a character has
// no shape: then the word stands in a row of its own.
func letters(text string, w, h int, lk look) []string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	broken := breaks(words)
	for _, draw := range drawings(lk) {
		for _, lines := range broken {
			if out := stack(lines, w, h, draw, lk); out != nil {
				return out
			}
		}
	}
	return nil
}

// drawing is a way to draw a line of text.
type drawing struct {
	font   map[rune][5]string // nil: the font of strokes
	sx, sy int                // columns and rows of a pixel; 0, 0: half blocks, three rows
	apart  int                // blank rows between two lines
}

// drawings are the ways to draw a line of text, the most visible first.
func drawings(lk look) []drawing {
	if lk.ascii {
		return asciiDrawings
	}
	return blockDrawings
}

var (
	asciiDrawings = append(scaledDrawings(), drawing{})
	blockDrawings = append(scaledDrawings(), drawing{font: wide}, drawing{font: narrow})
)

func scaledDrawings() []drawing {
	var out []drawing
	for _, s := range scales {
		out = append(out, drawing{font: wide, sx: s[0], sy: s[1], apart: 1})
	}
	return out
}

// size is what line takes when it is drawn; 0, 0 when a character has no shape.
func (d drawing) size(line string) (w, h int) {
	for _, r := range line {
		n := 0
		if d.font == nil {
			n = len(lined[r][0])
		} else {
			n = len(d.font[r][0])
		}
		if n == 0 {
			return 0, 0
		}
		w += n + 1
	}
	if d.sy == 0 {
		return w - 1, small
	}
	return (w - 1) * d.sx, tall * d.sy
}

// rows draws line.
func (d drawing) rows(line string, lk look) []string {
	switch {
	case d.font == nil:
		return stroked(line)
	case d.sy == 0:
		return halved(pixels(line, d.font))
	}
	return scaled(pixels(line, d.font), d.sx, d.sy, lk)
}

// breaks are the ways to set words on lines: on one, on two, on one each.
func breaks(words []string) [][]string {
	out := [][]string{{strings.Join(words, " ")}}
	for i := 1; i < len(words); i++ {
		out = append(out, []string{strings.Join(words[:i], " "), strings.Join(words[i:], " ")})
	}
	if len(words) > 2 {
		out = append(out, words)
	}
	return out
}

// stack draws lines one below the other, each in the middle; nil if they do not fit.
func stack(lines []string, w, h int, d drawing, lk look) []string {
	high := d.apart * (len(lines) - 1)
	for _, line := range lines {
		n, rows := d.size(line)
		high += rows
		if n == 0 || n > w || high > h {
			return nil
		}
	}
	var out []string
	for i, line := range lines {
		if i > 0 {
			out = append(out, make([]string, d.apart)...)
		}
		n, _ := d.size(line)
		for _, row := range d.rows(line, lk) {
			out = append(out, strings.Repeat(" ", (w-n)/2)+row)
		}
	}
	return out
}
