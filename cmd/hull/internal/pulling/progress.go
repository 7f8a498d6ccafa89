package pulling

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/transfer"
)

// Progress shows steps and blobs on the error output: lines as podman has them, and at a terminal a bar for each blob.
func Progress(s streams.Streams) func(transfer.Progress) {
	if !s.ErrIsTerminal() {
		return func(p transfer.Progress) {
			if p.Text != "" {
				_, _ = fmt.Fprintln(s.Err, p.Text)
			}
		}
	}
	v := &view{s: s, bars: format.NewProgress(s), since: map[string]time.Time{}, now: time.Now}
	return v.show
}

// JSON writes each event as a line to the output.
func JSON(s streams.Streams) func(transfer.Progress) {
	encoder := json.NewEncoder(s.Out)
	var mu sync.Mutex
	return func(p transfer.Progress) {
		mu.Lock()
		defer mu.Unlock()
		_ = encoder.Encode(p) // the work goes on when nobody reads
	}
}

// view is what a terminal shows.
type view struct {
	mu    sync.Mutex
	s     streams.Streams
	bars  *format.Progress
	since map[string]time.Time // when each blob began, by digest
	now   func() time.Time
}

func (v *view) show(p transfer.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch b := p.Blob; {
	case b == nil:
		if strings.HasPrefix(p.Text, "Copying ") { // its bar says so
			return
		}
		v.bars = format.NewProgress(v.s) // the lines above stand; bars go on below the text
		_, _ = fmt.Fprintln(v.s.Err, p.Text)
	case b.State == transfer.BlobStarted:
		v.since[b.Digest] = v.now()
		v.bars.Set(b.Digest, v.line(b))
	case b.State == transfer.BlobProgress:
		v.bars.Set(b.Digest, v.line(b))
	default:
		v.bars.Done(b.Digest, v.line(b))
	}
}

// line is "Copying blob 0123456789ab [=====>    ]  1.2MB / 3.4MB  5MB/s  2s".
func (v *view) line(b *transfer.Blob) string {
	name := strings.TrimPrefix(b.Digest, "sha256:")
	head := fmt.Sprintf("Copying %s %.12s ", b.Kind, name)
	switch b.State {
	case transfer.BlobDone:
		return head + "done  " + format.Size(max(b.Done, b.Total))
	case transfer.BlobExists:
		return head + "skipped: already exists"
	}
	line := head + bar(b.Done, b.Total) + "  " + format.Size(b.Done)
	if b.Total > 0 {
		line += " / " + format.Size(b.Total)
	}
	if passed := v.now().Sub(v.since[b.Digest]); b.Done > 0 && passed > time.Second {
		rate := float64(b.Done) / passed.Seconds()
		line += "  " + format.Size(int64(rate)) + "/s"
		if left := b.Total - b.Done; left > 0 {
			line += fmt.Sprintf("  %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	return line
}

// bar is how much of it is done, in 24 columns.
func bar(done, total int64) string {
	const width = 22
	n := 0
	if total > 0 {
		n = int(min(done, total) * width / total)
	}
	return "[" + strings.Repeat("=", n) + strings.Repeat("-", width-n) + "]"
}
