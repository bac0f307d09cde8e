package station

import (
	"slices"
	"strings"
)

// nearest returns the candidate that was most probably meant by word: the one
// with the fewest typing mistakes, if those are few for its length, else the
// first that holds the whole word (JTAG for JTAG_DISABLE), else "". Case, and
// whether - or _ was typed, do not count. The first of equals wins.
func nearest(word string, candidates []string) string {
	best, mistakes := "", 0
	word = fold(word)
	for _, c := range candidates {
		d := distance(word, fold(c))
		if d <= max(2, len(c)/3) && d < max(len(c), len(word)) && (best == "" || d < mistakes) {
			best, mistakes = c, d
		}
	}
	if best == "" && len(word) >= shortestPiece {
		i := slices.IndexFunc(candidates, func(c string) bool { return strings.Contains(fold(c), word) })
		if i >= 0 {
			return candidates[i]
		}
	}
	return best
}

// shortestPiece is the shortest word that is looked for inside of the candidates:
// shorter ones are in too many of them.
const shortestPiece = 4

// didYouMean ends a message with the nearest candidate, or with all of them when
// none is near.
func didYouMean(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return "; nearest known: " + best
	}
	return "; known: " + strings.Join(candidates, ", ")
}

func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// distance counts the single-byte insertions, deletions, replacements and swaps
// of neighbours that turn a into b (optimal string alignment). Words longer than
// longWord are cut first: no key is that long, and the work grows as the product.
func distance(a, b string) int {
	const longWord = 64
	a, b = a[:min(len(a), longWord)], b[:min(len(b), longWord)]
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
