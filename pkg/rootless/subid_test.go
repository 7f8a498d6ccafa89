package rootless

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

func TestParseRanges(t *testing.T) {
	file := "anna:100000:65536\n# a comment\nbert:165536:65536\n1000:231072:10\nanna:500000:1\nanna:x:5\nanna:5\nanna:1:0\n"
	for user, want := range map[string][]Range{
		"anna":   {{100000, 65536}, {231072, 10}, {500000, 1}},
		"bert":   {{165536, 65536}, {231072, 10}},
		"nobody": {{231072, 10}},
	} {
		if got := parseRanges(bufio.NewScanner(strings.NewReader(file)), user, "1000"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", user, got, want)
		}
	}
	if got := Ranges("/nosuch", "anna", 1000); got != nil {
		t.Errorf("a missing file gives %v", got)
	}
}
