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

// pixels is word in a font of five rows, a blank column between letters; nil when
// a character has no shape.
func pixels(word string, font map[rune][5]string) []string {
	var rows [5]strings.Builder
	for i, r := range []rune(word) {
		shape, ok := font[r]
		if !ok {
			return nil
		}
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

// stroked is word in the font of strokes; nil when a character has no shape.
func stroked(word string) []string {
	var rows [3]strings.Builder
	for i, r := range []rune(word) {
		shape, ok := lined[r]
		if !ok {
			return nil
		}
		for y := range rows {
			if i > 0 {
				rows[y].WriteByte(' ')
			}
			rows[y].WriteString(shape[y])
		}
	}
	return []string{rows[0].String(), rows[1].String(), rows[2].String()}
}

// scales are the sizes of block letters, largest first: columns and rows of one
// pixel. A cell is twice as high as wide.
var scales = [...][2]int{{6, 3}, {5, 2}, {4, 2}, {3, 2}, {3, 1}, {2, 1}, {1, 1}}

// letters draws text as large as it fits into w columns and h rows, on several
// lines where that makes it larger. It is nil where nothing fits or a character has
// no shape: then the word stands in a row of its own.
func letters(text string, w, h int, lk look) []string {
	broken := breaks(strings.Fields(text))
	for _, draw := range drawings(lk) {
		for _, lines := range broken {
			if out := stack(lines, w, h, draw); out != nil {
				return out
			}
		}
	}
	return nil
}

// drawings are the ways to draw a line of text, the most visible first.
func drawings(lk look) []drawing {
	var out []drawing
	for _, s := range scales {
		out = append(out, drawing{1, func(line string) []string { return scaled(pixels(line, wide), s[0], s[1], lk) }})
	}
	if lk.ascii {
		return append(out, drawing{0, stroked})
	}
	return append(out,
		drawing{0, func(line string) []string { return halved(pixels(line, wide)) }},
		drawing{0, func(line string) []string { return halved(pixels(line, narrow)) }})
}

// drawing is a way to draw a line of text.
type drawing struct {
	apart int // blank rows between two lines
	rows  func(line string) []string
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
func stack(lines []string, w, h int, draw drawing) []string {
	var out []string
	for i, line := range lines {
		rows := draw.rows(line)
		if len(rows) == 0 {
			return nil
		}
		n := width(rows[0])
		if n > w {
			return nil
		}
		if i > 0 {
			out = append(out, make([]string, draw.apart)...)
		}
		for _, row := range rows {
			out = append(out, strings.Repeat(" ", (w-n)/2)+row)
		}
	}
	if len(out) > h {
		return nil
	}
	return out
}
