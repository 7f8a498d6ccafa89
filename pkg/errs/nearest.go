package errs

// Nearest returns the word of known that is closest to word by edit distance (two letters swapped are one edit), or "" when none is near enough to be what
// was meant: at most two edits, and fewer than half of the word's letters.
func Nearest(word string, known []string) string {
	best, limit := "", min(2, (len(word)-1)/2)
	for _, k := range known {
		d := distance(word, k, limit)
		if swapped(word, k) {
			d = 1
		}
		if d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// DidYouMean returns `; did you mean "x"?` for the nearest known word, or "".
func DidYouMean(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return `; did you mean "` + n + `"?`
	}
	return ""
}

// distance is the Levenshtein distance of a and b, or any number over limit when it is greater than that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// swapped reports whether a and b differ by two neighbours that changed places.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}
