package artifacts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// player plays hull-image.
type player struct {
	job  transfer.Request
	fail error
}

func (p *player) Run(_ context.Context, q transfer.Request, _ *os.File, _ func(transfer.Progress)) (transfer.Result, error) {
	p.job = q
	return transfer.Result{Digest: "sha256:d"}, p.fail
}

func TestPullAndPush(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	l, err := layers.Open(layers.Options{Root: dir + "/root", RunRoot: dir + "/run", Driver: "vfs"})
	if err != nil {
		t.Fatal(err)
	}
	p := &player{}
	s := New(l, p)
	var o PullOptions
	o.Access.AuthFile = "auth"
	if d, err := s.Pull(t.Context(), "x", o); err != nil || d != "sha256:d" {
		t.Errorf("%q, %v", d, err)
	}
	if p.job.Op != transfer.OpArtifactPull || p.job.Pull.Reference != "x" || p.job.Access.AuthFile != dir+"/auth" || p.job.Store.Root != dir+"/root" {
		t.Errorf("%+v", p.job)
	}
	if _, err := s.Push(t.Context(), "x", PushOptions{}); !errdefs.IsNotFound(err) {
		t.Errorf("of nothing: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), "x", []string{file}, artifacts.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	push := PushOptions{DigestFile: "digest", Push: transfer.Push{SigstoreKey: "key"}}
	p.fail = errors.New("oops")
	if _, err := s.Push(t.Context(), "x", push); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat("digest"); !os.IsNotExist(err) {
		t.Errorf("a digest of what was not pushed: %v", err)
	}
	p.fail = nil
	if _, err := s.Push(t.Context(), "x", push); err != nil || p.job.Artifact != "x" || p.job.Push.SigstoreKey != dir+"/key" {
		t.Errorf("%+v, %v", p.job, err)
	}
	if text, err := os.ReadFile("digest"); err != nil || string(text) != "sha256:d" {
		t.Errorf("%q, %v", text, err)
	}
	push.DigestFile = "nosuch/digest"
	if _, err := s.Push(t.Context(), "x", push); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
