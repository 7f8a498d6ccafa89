package system

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func usage() *define.DiskUsage {
	return &define.DiskUsage{
		Images: []define.ImageUsage{
			{ID: strings.Repeat("a", 64), Names: []string{"localhost/x:1", "h:5000/y:2"}, Created: now.Add(-48 * time.Hour), Size: 2e6, SharedSize: 1e6, Containers: 2},
			{ID: strings.Repeat("b", 64), Created: now.Add(-time.Hour), Size: 3e6},
		},
		Containers: []define.ContainerUsage{
			{ID: strings.Repeat("c", 64), Name: "web", Command: []string{"sh", "-c", "a\nb"}, Volumes: 1, Created: now, Status: define.StatusRunning, Size: 1000},
			{ID: strings.Repeat("d", 64), Name: "old", Created: now, Status: define.StatusExited, Size: 3000},
		},
		Volumes:    []define.VolumeUsage{{Name: "in", Links: 1, Size: 10}, {Name: "out", Size: 5}},
		ImagesSize: 4e6, ImagesUnused: 1e6,
	}
}

func TestSummary(t *testing.T) {
	want := []usageRow{
		{"Images", 2, 1, 4e6, 1e6, 2, "4MB", "1MB (25%)"},
		{"Containers", 2, 1, 4000, 3000, 2, "4kB", "3kB (75%)"},
		{"Local Volumes", 2, 1, 15, 5, 2, "15B", "5B (33%)"},
	}
	for i, got := range summary(usage()) {
		if got != want[i] {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
	if got := newUsageRow("Images", 0, 0, 0, 0).Reclaimable; got != "0B (0%)" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestPrintUsage(t *testing.T) {
	var out bytes.Buffer
	if err := printUsage(&out, usage(), now); err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, words(line))
	}
	for _, want := range []string{
		"localhost/x 1 aaaaaaaaaaaa 2 days 2MB 1MB 1MB 2",
		"h:5000/y 2 aaaaaaaaaaaa 2 days 2MB 1MB 1MB 2",
		"<none> <none> bbbbbbbbbbbb About an hour 3MB 0B 3MB 0",
		"cccccccccccc sh -c a b 1 1kB Less than a second running web",
		"out 0 5B",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}
