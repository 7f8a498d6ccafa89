package artifact

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	service "hull.dev/hull/libpod/artifacts"
	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

var d = digest.FromString("x")

// fake is an engine with one artifact that remembers what it was asked for.
type fake struct {
	asked   []string
	add     artifacts.AddOptions
	rm      artifacts.RemoveOptions
	extract artifacts.ExtractOptions
	pull    service.PullOptions
	push    service.PushOptions
}

func (f *fake) Add(_ context.Context, name string, paths []string, o artifacts.AddOptions) (digest.Digest, error) {
	f.asked, f.add = append([]string{name}, paths...), o
	return d, nil
}

func (f *fake) List(context.Context) ([]artifacts.Artifact, error) {
	a := artifacts.Artifact{Name: "quay.io/x/y:1", Digest: d, Manifest: v1.Manifest{Layers: []v1.Descriptor{{Size: 1500}}}}
	a.Manifest.Annotations = map[string]string{v1.AnnotationCreated: time.Now().Add(-2 * time.Hour).Format(time.RFC3339)}
	return []artifacts.Artifact{a, {Name: "a b", Digest: d}, {Name: "quay.io/x/y@" + d.String(), Digest: d}}, nil
}

func (f *fake) Find(ctx context.Context, ref string) (artifacts.Artifact, error) {
	list, err := f.List(ctx)
	if ref != "a" {
		err = errs.NotFound("%s: artifact does not exist", ref)
	}
	return list[0], err
}

func (f *fake) Remove(_ context.Context, refs []string, o artifacts.RemoveOptions) ([]digest.Digest, error) {
	f.asked, f.rm = refs, o
	return []digest.Digest{d}, nil
}

func (f *fake) Extract(_ context.Context, ref, target string, o artifacts.ExtractOptions) error {
	f.asked, f.extract = []string{ref, target}, o
	return nil
}

func (f *fake) Pull(_ context.Context, ref string, o service.PullOptions) (digest.Digest, error) {
	f.asked, f.pull = []string{ref}, o
	return d, nil
}

func (f *fake) Push(_ context.Context, ref string, o service.PushOptions) (digest.Digest, error) {
	f.asked, f.push = []string{ref}, o
	return d, nil
}

func run(t *testing.T, f *fake, maker func(Deps) *cobra.Command, args ...string) (string, error) {
	t.Helper()
	s, b := streams.Test()
	cmd := maker(Deps{
		Streams: s, Engine: func(context.Context) (Engine, error) { return f, nil },
		Config: func() (*config.Config, error) { return config.Default(), nil },
	})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return b.Out.String(), err
}

func TestFlags(t *testing.T) {
	f := &fake{}
	hex, certs := d.Encoded()+"\n", t.TempDir()
	for _, c := range []struct {
		maker func(Deps) *cobra.Command
		line  string
		want  string
		asked []string
	}{
		{NewAdd, "--annotation a=b=c --file-type x/y --type t --replace n p q", hex, []string{"n", "p", "q"}},
		{NewRm, "-i a b", hex, []string{"a", "b"}},
		{NewExtract, "--title t a p", "", []string{"a", "p"}},
		{NewPull, "-q --cert-dir " + certs + " --creds ann:pw --retry 1 --retry-delay 2s --tls-verify=false a", hex, []string{"a"}},
		{NewPush, "--digestfile f --creds ann:pw --retry 1 a", "", []string{"a"}},
	} {
		if out, err := run(t, f, c.maker, strings.Fields(c.line)...); err != nil || out != c.want || !reflect.DeepEqual(f.asked, c.asked) {
			t.Errorf("%q: %q, %v, asked %q", c.line, out, err, f.asked)
		}
	}
	want := artifacts.AddOptions{Type: "t", FileType: "x/y", Annotations: map[string]string{"a": "b=c"}, Replace: true}
	if !reflect.DeepEqual(f.add, want) || !f.rm.Ignore || f.extract.Title != "t" {
		t.Errorf("%+v, %+v, %+v", f.add, f.rm, f.extract)
	}
	p := f.pull
	if p.Access.User != "ann" || p.Access.CertDir != certs || *p.Access.TLSVerify || p.Retry != 1 || p.RetryDelay != 2*time.Second || p.Progress != nil {
		t.Errorf("%+v", p)
	}
	if q := f.push; q.Access.Password != "pw" || q.DigestFile != "f" || q.Retry != 1 || q.Progress == nil {
		t.Errorf("%+v", q)
	}
}

func TestList(t *testing.T) {
	short := d.Encoded()[:12]
	out, err := run(t, &fake{}, NewList, "--noheading")
	want := [][]string{{"quay.io/x/y", "1", short, "2", "hours", "ago", "1.5", "kB"}, {"<none>", "<none>", short, "0", "B"}, {"quay.io/x/y", "<none>", short, "0", "B"}}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 3 {
		t.Fatalf("%q, %v", out, err)
	}
	for i, line := range lines {
		if !reflect.DeepEqual(strings.Fields(line), want[i]) {
			t.Errorf("%q, want %q", line, want[i])
		}
	}
	if out, err := run(t, &fake{}, NewList, "--format", "{{.Tag}} {{.VirtualSize}} {{.Digest}}", "--no-trunc"); err != nil || !strings.HasPrefix(out, "1 1500 "+d.String()+"\n") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, &fake{}, NewList, "--format", "json"); err != nil || !strings.Contains(out, `"VirtualSize": 1500`) {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, &fake{}, NewInspect, "--format", "{{.Name}} {{.Digest}}", "a"); err != nil || out != "quay.io/x/y:1 "+d.String()+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, &fake{}, NewInspect, "a"); err != nil || !strings.HasPrefix(out, "{\n     \"Manifest\": {") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		maker      func(Deps) *cobra.Command
		line, want string
	}{
		{NewAdd, "a", "at least 2"},
		{NewAdd, "--annotation a n p", "KEY=VALUE"},
		{NewAdd, "--append --replace n p", "together"},
		{NewAdd, "--append --type t n p", "together"},
		{NewExtract, "--title t --digest d a p", "together"},
		{NewExtract, "a", "accepts 2"},
		{NewInspect, "b", "does not exist"},
		{NewRm, "", "at least one"},
		{NewRm, "--all a", "--all"},
		{NewPull, "--authfile /nosuch a", "no such file"},
		{NewPush, "--sign-by-sq-fingerprint me a", "hull artifact push: --sign-by-sq-fingerprint is not built yet"},
		{NewPush, "--retry-delay x a", "not a duration"},
	} {
		if _, err := run(t, &fake{}, c.maker, strings.Fields(c.line)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.line, err, c.want)
		}
	}
}
