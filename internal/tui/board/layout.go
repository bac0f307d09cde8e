package board

import "provision/internal/shift"

// kind is how tiles look: the more room, the more they tell.
type kind int

const (
	lettered kind = iota // block letters
	tiled                // a frame, one inverse row with the word, rows below it
	listed               // one row
)

// plan is how the slots are set on the floor.
type plan struct {
	fits bool
	kind kind
	cols int
	rows int
}

// Sizes of tiles, frame included.
const (
	letteredWidth  = 30 // of block letters of three rows
	letteredHeight = 8
	roomyWidth     = 36 // of block letters where there are more than four slots
	roomyHeight    = 10
	tiledHeight    = 4
	idealWidth     = 30 // of a tile in a grid, for the best shape of one
	idealHeight    = 6
	mostLettered   = 4
	mostTiled      = 12 // more slots are tiles only where these have good rows
	goodHeight     = 6
)

// plan chooses the richest way to set the slots into a.
func (p painter) plan(a area) plan {
	n := len(p.slots)
	a = a.sub(0, p.bannerRows(a), a.w, a.h)
	switch {
	case n == 0:
		return plan{fits: true, kind: listed, cols: 1, rows: 1}
	case n <= mostLettered:
		for _, cols := range []int{min(n, 2), 1} {
			rows := (n + cols - 1) / cols
			if a.w/cols >= letteredWidth && a.h/rows >= letteredHeight {
				return plan{true, lettered, cols, rows}
			}
		}
	}
	if best := grid(a, n, lettered, roomyWidth, roomyHeight); best.fits {
		return best
	}
	least := tiledHeight
	if n > mostTiled {
		least = goodHeight
	}
	if best := grid(a, n, tiled, p.tiledWidth(), least); best.fits {
		return best
	}
	cols := max(1, a.w/p.listWidth())
	cols = min(cols, max(1, a.w/p.goodListWidth()), n)
	if rows := (n + cols - 1) / cols; rows <= a.h {
		return plan{true, listed, cols, rows}
	}
	cols = max(1, min(n, a.w/p.listWidth()))
	rows := (n + cols - 1) / cols
	return plan{rows <= a.h, listed, cols, rows}
}

// grid chooses the columns whose tiles are nearest to the best shape of one; it does
// not fit where they would be less than w columns or h rows.
func grid(a area, n int, k kind, w, h int) plan {
	best, score := plan{}, 0.0
	for cols := 1; cols <= n; cols++ {
		rows := (n + cols - 1) / cols
		if a.w/cols < w || a.h/rows < h {
			continue
		}
		if s := min(float64(a.w/cols)/idealWidth, float64(a.h/rows)/idealHeight); s > score {
			best, score = plan{true, k, cols, rows}, s
		}
	}
	return best
}

// wordWidth is the width of the longest word of a state.
func (p painter) wordWidth() int {
	n := max(width(p.tx.Text("tile.waits")), width(p.tx.Text("tile.badge")))
	for _, s := range shift.States() {
		n = max(n, width(p.tx.Text("state."+string(s))))
	}
	return n
}

// tiledWidth is the least width of a tile: its frame, number, shape and word.
func (p painter) tiledWidth() int { return max(18, p.wordWidth()+len("||12 xxx  ")) }

// listWidth is the least width of a slot in one row: number, mark, word.
func (p painter) listWidth() int { return p.wordWidth() + len("12 x  ") }

// goodListWidth has room for a serial number or a code as well.
func (p painter) goodListWidth() int { return p.listWidth() + 14 }

// floor draws all slots.
func (p painter) floor(a area, pl plan) {
	rows := p.bannerRows(a)
	p.banner(a.sub(0, 0, a.w, rows))
	a = a.sub(0, rows, a.w, a.h-rows)
	if len(p.slots) == 0 {
		a.centre(a.h/2, bold, p.tx.Text("floor.starting"), p.lk)
		return
	}
	for i, s := range p.slots {
		col, row := i%pl.cols, i/pl.cols
		if pl.kind == listed {
			col, row = i/pl.rows, i%pl.rows // numbers run downwards, as in a list
		}
		x, y := col*a.w/pl.cols, row*a.h/pl.rows
		w, h := (col+1)*a.w/pl.cols-x, (row+1)*a.h/pl.rows-y
		if pl.kind == listed {
			y, h = row, 1
		}
		tile := a.sub(x, y, w, h)
		switch pl.kind {
		case lettered:
			p.letterTile(tile, s)
		case tiled:
			p.gridTile(tile, s)
		default:
			p.listTile(tile, s)
		}
	}
}

// bannerRows is how many rows the line above the floor takes.
func (p painter) bannerRows(a area) int {
	if p.bannerKey() == "" {
		return 0
	}
	if a.h >= 2*leastHeight {
		return 2
	}
	return 1
}

// bannerKey says what the whole floor waits for; empty: nothing.
func (p painter) bannerKey() string {
	switch {
	case p.closing:
		return "floor.closing"
	case len(p.slots) == 0 || p.job.Armed:
		return ""
	case p.job.ID == "":
		return "floor.no_job"
	case rank(p.role()) >= rank(lead):
		return "floor.arm_now"
	}
	return "floor.not_armed"
}

func (p painter) banner(a area) {
	if key := p.bannerKey(); key != "" {
		a.centre(0, bold, p.tx.Text(key), p.lk)
	}
}
