package lease

import (
	"testing"
	"time"
)

// A lease ends while the machine is suspended: the clock on the wall goes on, and the monotonic one does not.
func TestUntil(t *testing.T) {
	begun := time.Now()
	due := begun.Add(time.Hour)
	for name, c := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"at once":                     {begun, time.Hour},
		"after a while":               {begun.Add(20 * time.Minute), 40 * time.Minute},
		"after a suspend":             {begun.Round(0).Add(2 * time.Hour), -time.Hour},
		"when the clock was set back": {begun.Add(2 * time.Hour), -time.Hour},
	} {
		if got := until(due, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
