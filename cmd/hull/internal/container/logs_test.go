package container

import (
	"bufio"
	"testing"
	"time"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
)

// The label and the time stand before a line, not before each of its pieces; the streams stay apart.
func TestLogPrinter(t *testing.T) {
	s, b := streams.Test()
	out := &logOutput{out: bufio.NewWriter(s.Out), err: s.Err}
	p := &logPrinter{to: out, label: "web ", stamps: true}
	at := time.Date(2026, 1, 2, 3, 4, 5, 60, time.UTC)
	for _, l := range []define.LogLine{
		{Time: at, Text: []byte("on"), Partial: true},
		{Time: at, Text: []byte("bad"), Stderr: true},
		{Time: at, Text: []byte("e")},
		{Time: at, Text: nil},
	} {
		if err := p.print(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.flush(); err != nil {
		t.Fatal(err)
	}
	const head = "web 2026-01-02T03:04:05.000000060Z "
	if got := b.Out.String(); got != head+"one\n"+head+"\n" {
		t.Errorf("out %q", got)
	}
	if got := b.Err.String(); got != head+"bad\n" {
		t.Errorf("err %q", got)
	}
	b.Out.Reset()
	p = &logPrinter{to: out, color: "\033[31m"}
	_ = p.print(define.LogLine{Text: []byte("x")})
	_ = out.flush()
	if got := b.Out.String(); got != "\033[31mx\033[0m\n" {
		t.Errorf("color %q", got)
	}
}
