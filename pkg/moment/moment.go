// Package moment reads the times that users write in flags and filters.
package moment

import (
	"math"
	"strconv"
	"time"

	"hull.dev/hull/pkg/errs"
)

// Parse reads a moment as podman-logs(1) --since has it: RFC 3339 and shorter, seconds since 1970, or how long ago.
func Parse(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d.Abs()), nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 9e9 { // nanoseconds are 63 bits; NaN is not less
		return time.Unix(0, int64(seconds*1e9)), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05 -0700 MST", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errs.Invalid("%q is neither a time (2006-01-02T15:04:05) nor a duration (10m)", text)
}
