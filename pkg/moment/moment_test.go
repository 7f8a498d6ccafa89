package moment

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"10m":                            now.Add(-10 * time.Minute),
		"-10m":                           now.Add(-10 * time.Minute),
		"1h30m":                          now.Add(-90 * time.Minute),
		"0":                              now,
		"1700000000":                     time.Unix(1700000000, 0),
		"1700000000.5":                   time.Unix(1700000000, 5e8),
		"2026-11-23T10:00:00Z":           time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		"2026-11-23T10:00:00.25+02:00":   time.Date(2026, 11, 23, 8, 0, 0, 25e7, time.UTC),
		"2026-11-23T10:00:00":            time.Date(2026, 11, 23, 10, 0, 0, 0, zone),
		"2026-11-23T10:00:00.5":          time.Date(2026, 11, 23, 10, 0, 0, 5e8, zone),
		"2026-11-23T10:00":               time.Date(2026, 11, 23, 10, 0, 0, 0, zone),
		"2026-11-23 10:00:00":            time.Date(2026, 11, 23, 10, 0, 0, 0, zone),
		"2026-11-23":                     time.Date(2026, 11, 23, 0, 0, 0, 0, zone),
		"2026-11-23 10:00:00 +0000 UTC":  time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		"2026-11-23T10:00:00.000000001Z": time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC),
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Parse(text, now)
			if err != nil || !got.Equal(want) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		})
	}
	for _, text := range []string{"", "soon", "2026-13-01", "NaN", "Inf", "-inf", "1e300", "10 m"} {
		t.Run("refuses "+text, func(t *testing.T) {
			_, err := Parse(text, now)
			if err == nil || !strings.Contains(err.Error(), `"`+text+`"`) {
				t.Errorf("%v, want an error that names it", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"10m", "1.5", "NaN", "2026-11-23", "-9223372036854775808ns", "1e18", "0x1p-2"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text, now)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if d, derr := time.ParseDuration(text); derr == nil && d != math.MinInt64 && got.After(now) {
			t.Errorf("%q ago is %v", text, got)
		}
	})
}
