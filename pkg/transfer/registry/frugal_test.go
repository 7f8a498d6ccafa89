package registry

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestFrugalLimit(t *testing.T) {
	for _, tt := range []struct {
		live, other uint64
		most, want  int64
	}{
		{1 << 20, 4 << 20, 140 << 20, frugalMemory},
		{40 << 20, 10 << 20, 140 << 20, 60 << 20},
		{200 << 20, 10 << 20, 140 << 20, 140 << 20},
		{200 << 20, 10 << 20, math.MaxInt64, 260 << 20},
	} {
		got := frugalLimit(tt.live, tt.other, tt.most)
		if got < tt.want-100 || got > tt.want { // live is rounded to hundreds
			t.Errorf("%d bytes in use and %d others: %d, want %d", tt.live, tt.other, got, tt.want)
		}
	}
}

// TestFrugal: the limit follows what is in use, up and down, and is what it was at the end.
func TestFrugal(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	percent := debug.SetGCPercent(77)
	defer debug.SetGCPercent(percent)
	end := beFrugal()
	start := debug.SetMemoryLimit(-1)
	until := func(what string, done func(limit int64) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			runtime.GC()
			if done(debug.SetMemoryLimit(-1)) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the limit is %d, it was %d at the start", what, debug.SetMemoryLimit(-1), start)
			}
			runtime.Gosched()
		}
	}
	large := make([]byte, 100<<20)
	until("with 100 MB more in use", func(limit int64) bool { return limit > start+100<<20 })
	runtime.KeepAlive(large)
	until("without them", func(limit int64) bool { return limit < start+50<<20 })
	end()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the limit at the end is %d, want %d", got, before)
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("the percentage at the end is %d", got)
	}
}
