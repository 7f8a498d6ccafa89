package registry

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// frugalMemory is how many bytes a process that unpacks layers may use of before the collector is at work all the time: what is
	// in use comes to two thirds of it, and what was in use a moment ago goes back to the kernel instead of waiting to be used again.
	frugalMemory = 24 << 20
	// frugalGarbage is how much garbage may lie, in percent of what is in use, where that is more.
	frugalGarbage = 25
)

// frugal is the collector while layers are unpacked. With Go's own way the heap keeps the room of its highest moments, a third of all.
type frugal struct {
	most int64 // bytes of the process, whatever is in use

	mu      sync.Mutex
	over    bool
	samples []metrics.Sample
}

// beFrugal has the collector keep memory low until the function that it returns is called.
func beFrugal() (end func()) {
	f := &frugal{most: debug.SetMemoryLimit(-1), samples: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
	}}
	percent := debug.SetGCPercent(100)
	f.collected()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.over = true
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(f.most)
	}
}

// collected sets the limit by what the last collection found in use, and comes again after the next one.
func (f *frugal) collected() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	metrics.Read(f.samples)
	live := f.samples[0].Value.Uint64()
	other := f.samples[1].Value.Uint64()
	for _, heap := range f.samples[2:] {
		other -= heap.Value.Uint64()
	}
	debug.SetMemoryLimit(frugalLimit(live, other, f.most))
	runtime.AddCleanup(new([64]byte), (*frugal).collected, f)
}

// frugalLimit is how many bytes a process may have where live bytes are in use in its heap and other ones outside of it.
func frugalLimit(live, other uint64, most int64) int64 {
	want := min(live+live/100*frugalGarbage+other, math.MaxInt64)
	return min(most, max(frugalMemory, int64(want)))
}
