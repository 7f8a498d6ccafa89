package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// row is a figure: the median of ours over the median of theirs, and the most that it may be.
type row struct {
	what         string
	ours, theirs []time.Duration
	versus       string // who they are, when it is not podman
	limit        float64
}

// fact is a figure that is no ratio.
type fact struct {
	what         string
	ours, theirs float64 // theirs 0: not measured
	unit         string
	limit        float64 // 0: none
}

// speed is a figure of both, whose ratio is to be at least or at most something.
type speed struct {
	what, unit   string
	ours, theirs float64
	least, most  float64 // 0: none
}

func median[T time.Duration | float64](list []T) T {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// table is what a run came to, as markdown.
type table struct {
	rows   []row
	speeds []speed
	facts  []fact
}

func (b *table) write(w io.Writer) error {
	text := "| what | hull | podman | ratio | at most | pairs | |\n| --- | --- | --- | --- | --- | --- | --- |\n"
	for _, r := range b.rows {
		ours, theirs := median(r.ours), median(r.theirs)
		other := fmt.Sprintf("%.1f ms", milliseconds(theirs))
		if r.versus != "" {
			other = r.versus + " " + other
		}
		ratio := float64(ours) / float64(theirs)
		text += fmt.Sprintf("| %s | %.1f ms | %s | %.3f | %s | %d | %s |\n", r.what, milliseconds(ours), other, ratio, number(r.limit), len(r.ours), verdict(ratio, r.limit))
	}
	if len(b.speeds) > 0 {
		text += "\n| what | hull | podman | ratio | wanted | |\n| --- | --- | --- | --- | --- | --- |\n"
	}
	for _, s := range b.speeds {
		ratio, wanted := s.ours/s.theirs, "at most "+number(s.most)
		if s.least > 0 {
			wanted = "at least " + number(s.least)
		}
		word := "holds"
		if s.least > 0 && ratio < s.least || s.most > 0 && ratio > s.most {
			word = "falls short"
		}
		text += fmt.Sprintf("| %s | %s | %s | %.2f | %s | %s |\n", s.what, number(s.ours)+s.unit, number(s.theirs)+s.unit, ratio, wanted, word)
	}
	if len(b.facts) > 0 {
		text += "\n| what | hull | podman | at most | |\n| --- | --- | --- | --- | --- |\n"
	}
	for _, f := range b.facts {
		theirs, limit := "", ""
		if f.theirs > 0 {
			theirs = number(f.theirs) + f.unit
		}
		if f.limit > 0 {
			limit = number(f.limit) + f.unit
		}
		text += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", f.what, number(f.ours)+f.unit, theirs, limit, verdict(f.ours, f.limit))
	}
	_, err := io.WriteString(w, text+"\n")
	return err
}

func verdict(value, limit float64) string {
	switch {
	case limit == 0:
		return ""
	case value > limit:
		return "over"
	}
	return "holds"
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
