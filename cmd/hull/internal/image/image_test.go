package image

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// fake is an engine with two images that remembers what it was asked for.
type fake struct {
	asked []string
	list  define.ImageListOptions
	rm    define.ImageRemoveOptions
	imp   images.ImportOptions
	pull  images.PullOptions
	save  images.SaveOptions
	push  images.PushOptions
	sign  images.SignOptions
	mount define.ImageMountOptions
	prune define.ImagePruneOptions
}

var id = strings.Repeat("ab", 32)

func (f *fake) Load(_ context.Context, o images.LoadOptions) ([]string, error) {
	if o.Progress != nil {
		o.Progress("step")
	}
	return []string{"localhost/a:1", "localhost/b:1"}, nil
}

func (f *fake) Import(_ context.Context, o images.ImportOptions) (string, error) {
	f.imp = o
	return id, nil
}

func (f *fake) Pull(_ context.Context, ref string, o images.PullOptions) ([]string, error) {
	f.pull = o
	if ref != "a" {
		return nil, errs.NotFound("%s: manifest unknown", ref)
	}
	if o.Progress != nil {
		o.Progress(transfer.Progress{Text: "Trying to pull a..."})
		o.Progress(transfer.Progress{Blob: &transfer.Blob{Digest: "sha256:0", Kind: "blob", State: transfer.BlobExists}})
	}
	return []string{id}, nil
}

func (f *fake) List(_ context.Context, o define.ImageListOptions) ([]define.ImageSummary, error) {
	f.list = o
	return []define.ImageSummary{
		{ID: id, Names: []string{"localhost/a:1", "localhost/b:2"}, Size: 1234567, Created: time.Now().Add(-2 * time.Hour), Digest: "sha256:d"},
		{ID: strings.Repeat("0", 64), Size: 10, Created: time.Now().Add(-3 * time.Hour)},
	}, nil
}

func (f *fake) Inspect(_ context.Context, ref string) (define.ImageInspect, error) {
	if ref != "a" {
		return define.ImageInspect{}, errs.NotFound("%s: image not known", ref)
	}
	return define.ImageInspect{ID: id}, nil
}

func (f *fake) History(context.Context, string) ([]define.ImageHistoryLayer, error) {
	return []define.ImageHistoryLayer{{ID: id, Created: time.Unix(0, 0), CreatedBy: strings.Repeat("x", 60), Size: 5, Comment: "c"}, {ID: "<missing>"}}, nil
}

func (f *fake) Tag(_ context.Context, ref string, names []string) error {
	f.asked = append([]string{ref}, names...)
	return nil
}

func (f *fake) Untag(ctx context.Context, ref string, names []string) error {
	return f.Tag(ctx, ref, names)
}

func (f *fake) Remove(_ context.Context, _ []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error) {
	f.rm = o
	return []define.ImageRemoveReport{{Untagged: []string{"localhost/a:1"}, Deleted: id}},
		[]error{errs.WithExit(errs.NotFound("x: image not known"), 1), errs.WithExit(errs.Conflict("in use"), 2)}
}

func (f *fake) Exists(_ context.Context, ref string) (bool, error) { return ref == "a", nil }

// run runs a command and returns its output, error output and error.
func run(t *testing.T, f *fake, maker func(Deps) *cobra.Command, args ...string) (string, string, error) {
	t.Helper()
	s, b := streams.Test()
	cmd := maker(Deps{
		Streams: s, Engine: func(context.Context) (Engine, error) { return f, nil },
		Config: func() (*config.Config, error) { return config.Default(), nil },
	})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return b.Out.String(), b.Err.String(), err
}

func TestImagesTable(t *testing.T) {
	out, _, err := run(t, &fake{}, NewImages)
	want := `REPOSITORY   TAG         IMAGE ID      CREATED      SIZE
localhost/a  1           abababababab  2 hours ago  1.23 MB
localhost/b  2           abababababab  2 hours ago  1.23 MB
<none>       <none>      000000000000  3 hours ago  10 B
`
	if err != nil || out != want {
		t.Errorf("got\n%swant\n%s%v", out, want, err)
	}
}

func TestImagesFlags(t *testing.T) {
	f := &fake{}
	out, _, err := run(t, f, NewImages, "-q", "--no-trunc", "-a", "-f", "label=x", "-f", "dangling=true")
	if err != nil || strings.Count(out, "sha256:") != 2 || !f.list.All || len(f.list.Filters) != 2 {
		t.Errorf("%q, %+v, %v", out, f.list, err)
	}
	if _, _, err := run(t, f, NewImages, "name"); err != nil || f.list.Filters[0] != "reference=name" {
		t.Errorf("%+v, %v", f.list, err)
	}
	out, _, err = run(t, f, NewImages, "--sort", "size", "--format", "{{.Repository}}/{{.Tag}}")
	if err != nil || !strings.HasPrefix(out, "<none>/<none>\n") {
		t.Errorf("%q, %v", out, err)
	}
	for _, args := range [][]string{{"--sort", "sise"}, {"--format", "{{.Nope}}"}, {"a", "b"}, {"a", "-f", "label=x"}} {
		if _, _, err := run(t, f, NewImages, args...); err == nil {
			t.Errorf("%v passes", args)
		}
	}
	out, _, err = run(t, f, NewImages, "--format", "json")
	if err != nil || !strings.Contains(out, `"CreatedAt": "`) || strings.Contains(out, "0001") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestRmi(t *testing.T) {
	f := &fake{}
	out, _, err := run(t, f, NewRmi, "-f", "-i", "--no-prune", "a", "x")
	if out != "Untagged: localhost/a:1\nDeleted: "+id+"\n" || errs.Exit(err) != 2 || err.Error() != "x: image not known\nin use" {
		t.Errorf("%q, %v", out, err)
	}
	if f.rm != (define.ImageRemoveOptions{Force: true, Ignore: true, NoPrune: true}) {
		t.Errorf("%+v", f.rm)
	}
	for _, args := range [][]string{{}, {"-a", "x"}} {
		if _, _, err := run(t, f, NewRmi, args...); err == nil {
			t.Errorf("%v passes", args)
		}
	}
}

func TestLoadAndImport(t *testing.T) {
	f := &fake{}
	out, steps, err := run(t, f, NewLoad, "-i", "x")
	if out != "Loaded image: localhost/a:1\nLoaded image: localhost/b:1\n" || steps != "step\n" || err != nil {
		t.Errorf("%q, %q, %v", out, steps, err)
	}
	if _, steps, _ = run(t, f, NewLoad, "-q", "-i", "x"); steps != "" {
		t.Errorf("quiet: %q", steps)
	}
	out, _, err = run(t, f, NewImport, "-c", "CMD x", "-m", "msg", "--os", "o", "--arch", "a", "--variant", "v", "-", "name")
	if out != "sha256:"+id+"\n" || err != nil || f.imp.Path != "" || f.imp.Name != "name" || f.imp.Message != "msg" || f.imp.Variant != "v" {
		t.Errorf("%q, %+v, %v", out, f.imp, err)
	}
	for _, args := range [][]string{{}, {"a", "b", "c"}} {
		if _, _, err := run(t, f, NewImport, args...); err == nil {
			t.Errorf("%v passes", args)
		}
	}
}

func TestInspectPrintsWhatIsThere(t *testing.T) {
	out, _, err := run(t, &fake{}, NewInspect, "--format", "{{.Id}}", "a", "b")
	if out != id+"\n" || err == nil || err.Error() != "inspecting object: b: image not known" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestHistory(t *testing.T) {
	out, _, err := run(t, &fake{}, NewHistory, "-H=false", "a")
	if err != nil || !strings.Contains(out, strings.Repeat("x", 42)+"...  5 B") || !strings.Contains(out, "1970-01-01T00:00:00Z") {
		t.Errorf("%s, %v", out, err)
	}
	if out, _, _ = run(t, &fake{}, NewHistory, "-q", "a"); out != "abababababab\n<missing>\n" {
		t.Errorf("%q", out)
	}
}

func TestExistsAndTag(t *testing.T) {
	f := &fake{}
	if _, _, err := run(t, f, NewExists, "a"); err != nil {
		t.Error(err)
	}
	if _, _, err := run(t, f, NewExists, "b"); errs.Exit(err) != 1 || err.Error() != "" {
		t.Errorf("%v", err)
	}
	if _, _, err := run(t, f, NewTag, "a", "b", "c"); err != nil || strings.Join(f.asked, " ") != "a b c" {
		t.Errorf("%v, %v", f.asked, err)
	}
	if _, _, err := run(t, f, NewUntag, "a"); err != nil || strings.Join(f.asked, " ") != "a" {
		t.Errorf("%v, %v", f.asked, err)
	}
}

func TestPull(t *testing.T) {
	f := &fake{}
	out, warnings, err := run(t, f, NewPull, "a")
	if err != nil || out != id+"\n" || warnings != "Trying to pull a...\n" || f.pull.Policy != "always" || f.pull.Retry != 3 {
		t.Errorf("%q, %q, %+v, %v", out, warnings, f.pull, err)
	}
	out, warnings, err = run(t, f, NewPull, "-q", "x", "a")
	if err == nil || out != id+"\n" || warnings != "" {
		t.Errorf("one of two: %q, %q, %v", out, warnings, err)
	}
	out, _, err = run(t, f, NewPull, "--format", "json", "a")
	want := `{"text":"Trying to pull a..."}` + "\n" + `{"blob":{"digest":"sha256:0","kind":"blob","state":"exists","done":0}}` + "\n" +
		`{"image":"` + id + `","reference":"a"}` + "\n"
	if err != nil || out != want {
		t.Errorf("json: %q, %v", out, err)
	}
	_, _, err = run(t, f, NewPull, "--platform", "linux/arm/v7", "--creds", "u:p:q", "--tls-verify=false", "--retry", "0", "--retry-delay", "5s", "a")
	p := f.pull
	if err != nil || p.OS != "linux" || p.Arch != "arm" || p.Variant != "v7" || p.Access.User != "u" || p.Access.Password != "p:q" ||
		*p.Access.TLSVerify || p.Retry != 0 || p.RetryDelay != 5*time.Second || p.Choose != nil {
		t.Errorf("%+v, %v", p, err)
	}
	for _, args := range [][]string{
		nil,
		{"--platform", "linux/arm", "--arch", "arm64", "a"},
		{"--retry-delay", "x", "a"},
		{"--creds", "u", "a"},
		{"--authfile", "/nosuch", "a"},
		{"--cert-dir", "/nosuch", "a"},
		{"--format", "yaml", "a"},
	} {
		if _, _, err := run(t, f, NewPull, args...); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
