package registry

import (
	"strings"
	"sync"
)

// lineWriter says what is written to it, line by line. The library writes from as many goroutines as copy blobs.
type lineWriter struct {
	mu   sync.Mutex
	rest string
	say  func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest += string(p)
	for {
		line, rest, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(p), nil
		}
		w.say(line)
		w.rest = rest
	}
}

// end says what has no newline.
func (w *lineWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rest != "" {
		w.say(w.rest)
	}
}
