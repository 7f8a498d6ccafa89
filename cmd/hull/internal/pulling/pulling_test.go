package pulling

import (
	"context"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/transfer"
)

func TestLines(t *testing.T) {
	s, _ := streams.TestTerminal(80)
	now := time.Unix(0, 0)
	v := &view{s: s, bars: format.NewProgress(s), since: map[string]time.Time{}, now: func() time.Time { return now }}
	b := &transfer.Blob{Digest: "sha256:0123456789abcdef", Kind: "blob", State: transfer.BlobStarted, Total: 10e6}
	v.show(transfer.Progress{Blob: b})
	now = now.Add(5 * time.Second)
	b.State, b.Done = transfer.BlobProgress, 5e6
	if got, want := v.line(b), "Copying blob 0123456789ab [===========-----------]  5 MB / 10 MB  1 MB/s  5s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.State, b.Done = transfer.BlobDone, 10e6
	if got, want := v.line(b), "Copying blob 0123456789ab done  10 MB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.State = transfer.BlobExists
	if got, want := v.line(b), "Copying blob 0123456789ab skipped: already exists"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := bar(20, 10) + bar(1, 0); got != "["+strings.Repeat("=", 22)+"]["+strings.Repeat("-", 22)+"]" {
		t.Error(got)
	}
}

func TestProgressOfAPipe(t *testing.T) {
	s, b := streams.Test()
	show := Progress(s)
	show(transfer.Progress{Text: "Copying blob sha256:0"})
	show(transfer.Progress{Blob: &transfer.Blob{State: transfer.BlobDone}})
	if b.Err.String() != "Copying blob sha256:0\n" || b.Out.Len() != 0 {
		t.Errorf("%q, %q", b.Err, b.Out)
	}
}

func TestChoose(t *testing.T) {
	for in, want := range map[string]string{"\n": "a", "2\n": "b", "9\nx\n2\n": "b"} {
		s, b := streams.TestTerminal(80)
		b.In.WriteString(in)
		got, err := chooser(s)(t.Context(), "x", []string{"a", "b"})
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	s, _ := streams.TestTerminal(80)
	if _, err := chooser(s)(t.Context(), "x", []string{"a", "b"}); err == nil {
		t.Error("the end of the input chose")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.In = blocked{}
	if _, err := chooser(s)(ctx, "x", []string{"a"}); err == nil {
		t.Error("Ctrl-C chose")
	}
}

type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

func TestCredentials(t *testing.T) {
	s, _ := streams.Test()
	user, password, err := Credentials(t.Context(), s, "me:pass:word")
	if err != nil || user != "me" || password != "pass:word" {
		t.Errorf("%q, %q, %v", user, password, err)
	}
	for _, text := range []string{"me", "", ":x"} {
		if _, _, err := Credentials(t.Context(), s, text); err == nil {
			t.Errorf("%q is enough without a terminal", text)
		}
	}
}

func TestReference(t *testing.T) {
	for ref, want := range map[string]string{"x": "x", "docker://h/x:1": "h/x:1", "oci:/a:b": "id", "localhost:5000/x": "localhost:5000/x", "dir:/a": "id"} {
		if got := Reference(ref, []string{"id"}); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}
