package manifest

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// fake is an engine that remembers what it was asked for.
type fake struct {
	asked  []string
	o      images.ManifestOptions
	a      images.ArtifactOptions
	push   images.PushOptions
	rm     define.ImageRemoveOptions
	access transfer.Access
}

func (f *fake) ManifestCreate(_ context.Context, name string, refs []string, o images.ManifestOptions) (string, error) {
	f.asked, f.o = append([]string{name}, refs...), o
	return "id", nil
}

func (f *fake) ManifestAdd(ctx context.Context, list string, refs []string, o images.ManifestOptions) (string, error) {
	return f.ManifestCreate(ctx, list, refs, o)
}

func (f *fake) ManifestAddArtifact(ctx context.Context, list string, files []string, a images.ArtifactOptions, o images.ManifestOptions) (string, error) {
	f.a = a
	return f.ManifestCreate(ctx, list, files, o)
}

func (f *fake) ManifestAnnotate(ctx context.Context, list, image string, o images.ManifestOptions) (string, error) {
	return f.ManifestCreate(ctx, list, []string{image}, o)
}

func (f *fake) ManifestRemove(_ context.Context, list, digest string) (string, error) {
	f.asked = []string{list, digest}
	return "id", nil
}

func (f *fake) ManifestExists(_ context.Context, ref string) (bool, error) { return ref == "l", nil }

func (f *fake) ManifestInspect(_ context.Context, ref string, a transfer.Access) ([]byte, error) {
	f.access = a
	if ref == "damaged" {
		return []byte("{"), nil
	}
	return []byte(`{"a":[1]}`), nil
}

func (f *fake) ManifestRm(_ context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error) {
	f.asked, f.rm = refs, o
	return []define.ImageRemoveReport{{Untagged: []string{"l"}, Deleted: "id"}}, nil
}

func (f *fake) Push(_ context.Context, ref, destination string, o images.PushOptions) (string, error) {
	f.asked, f.push = []string{ref, destination}, o
	return "sha256:d", nil
}

func run(t *testing.T, f *fake, maker func(Deps) *cobra.Command, line string) (string, error) {
	t.Helper()
	s, b := streams.Test()
	cmd := maker(Deps{
		Streams: s, Engine: func(context.Context) (Engine, error) { return f, nil },
		Config: func() (*config.Config, error) { return config.Default(), nil },
	})
	cmd.SetArgs(strings.Fields(line))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return b.Out.String(), err
}

func TestFlags(t *testing.T) {
	f := &fake{}
	for _, c := range []struct {
		maker      func(Deps) *cobra.Command
		line, want string
		asked      []string
	}{
		{NewCreate, "--all --amend --annotation a=b=c --tls-verify=false l x y", "id\n", []string{"l", "x", "y"}},
		{NewAdd, "--arch arm64 --os linux --variant v8 --os-version 3 --features f,g --annotation a=b --creds ann:pw l x", "id\n", []string{"l", "x"}},
		{NewAdd, "--artifact --artifact-type t --artifact-config c --artifact-config-type d --artifact-layer-type e --artifact-subject s --artifact-exclude-titles --os linux l x y", "id\n", []string{"l", "x", "y"}},
		{NewAnnotate, "--os-features f --annotation a= l x", "id\n", []string{"l", "x"}},
		{NewAnnotate, "--index --annotation a=b --subject s l", "id\n", []string{"l", ""}},
		{NewRemove, "l d", "id\n", []string{"l", "d"}},
		{NewRm, "-i l", "Untagged: l\nDeleted: id\n", []string{"l"}},
		{NewPush, "-q --rm --format v2s2 --add-compression zstd,gzip l dir:x", "", []string{"l", "dir:x"}},
	} {
		out, err := run(t, f, c.maker, c.line)
		if err != nil || out != c.want || !reflect.DeepEqual(f.asked, c.asked) {
			t.Errorf("%q: %q, %v, asked %q", c.line, out, err, f.asked)
		}
		switch o := f.o; (c.line + "     ")[:5] {
		case "--all":
			if !o.All || !o.Amend || o.Index["a"] != "b=c" || *o.Access.TLSVerify {
				t.Errorf("create: %+v", o)
			}
		case "--arc":
			want := transfer.Entry{
				OS: "linux", Arch: "arm64", Variant: "v8", OSVersion: "3", Features: []string{"f", "g"}, Annotations: map[string]string{"a": "b"},
			}
			if !reflect.DeepEqual(o.Entry, want) || o.Access.User != "ann" || o.Access.Password != "pw" {
				t.Errorf("add: %+v", o)
			}
		case "--art":
			want := images.ArtifactOptions{
				MakeOptions: artifacts.MakeOptions{Type: "t", Config: "c", ConfigType: "d", LayerType: "e", ExcludeTitles: true}, SubjectOf: "s",
			}
			if !reflect.DeepEqual(f.a, want) || o.OS != "linux" {
				t.Errorf("add --artifact: %+v, %+v", f.a, o)
			}
		case "--ind":
			if o.Index["a"] != "b" || o.Subject != "s" || len(o.Annotations) > 0 {
				t.Errorf("annotate --index: %+v", o)
			}
		}
	}
	if p := f.push; !p.List || !p.AllImages || !p.RemoveList || p.Format != "v2s2" || len(p.Additional) != 2 || p.Progress != nil {
		t.Errorf("push: %+v", p)
	}
	if !f.rm.Force || !f.rm.Ignore {
		t.Errorf("rm: %+v", f.rm)
	}
	if out, err := run(t, f, NewInspect, "--tls-verify=false l"); err != nil || out != "{\n    \"a\": [\n        1\n    ]\n}\n" || *f.access.TLSVerify {
		t.Errorf("inspect: %q, %v", out, err)
	}
	if _, err := run(t, f, NewExists, "l"); err != nil {
		t.Error(err)
	}
	if _, err := run(t, f, NewExists, "x"); errs.Exit(err) != 1 {
		t.Errorf("exists: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		maker      func(Deps) *cobra.Command
		line, want string
	}{
		{NewCreate, "", "at least 1"},
		{NewCreate, "--annotation a l", "KEY=VALUE"},
		{NewAdd, "l", "at least 2"},
		{NewAdd, "--annotation =a l x", "KEY=VALUE"},
		{NewAdd, "--authfile /nosuch l x", "no such file"},
		{NewAdd, "--creds ann l x", "no terminal"},
		{NewAdd, "--artifact-type t l x", "--artifact-type is about an artifact"},
		{NewAdd, "--artifact --all l x", "one artifact of files"},
		{NewAnnotate, "l", "at least 2"},
		{NewAnnotate, "--annotation x l y", "KEY=VALUE"},
		{NewAnnotate, "--index --arch a l", "about the list alone"},
		{NewAnnotate, "--index l x", "about the list alone"},
		{NewRemove, "l", "accepts 2"},
		{NewInspect, "", "accepts 1"},
		{NewInspect, "damaged", "its manifest is damaged"},
		{NewInspect, "--authfile /nosuch x", "no such file"},
		{NewPush, "--format v2s1 l", "unknown format"},
		{NewPush, "--add-compression zst l", "did you mean"},
		{NewPush, "--sign-by-sq-fingerprint me l", "hull manifest push: --sign-by-sq-fingerprint is not built yet"},
	} {
		if _, err := run(t, &fake{}, c.maker, c.line); err == nil || !strings.Contains(err.Error()+errs.Hint(err), c.want) {
			t.Errorf("%q: %v, want %q", c.line, err, c.want)
		}
	}
}
