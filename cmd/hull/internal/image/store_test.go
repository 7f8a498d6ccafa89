package image

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

func (f *fake) LayerTree(_ context.Context, _ string, whatRequires bool) (*define.ImageTree, error) {
	layer := func(letter string, above ...*define.ImageTreeLayer) *define.ImageTreeLayer {
		return &define.ImageTreeLayer{ID: strings.Repeat(letter, 64), Size: 2048, Above: above}
	}
	t := &define.ImageTree{ID: id, Tags: []string{"localhost/a:1", "localhost/b:2"}, Size: 1234567}
	if whatRequires {
		t.Layers = []*define.ImageTreeLayer{layer("1", layer("2", layer("3", layer("4")), layer("5")))}
		t.Layers[0].Tags = t.Tags
		for _, twin := range t.Layers[0].Above[0].Above {
			twin.Twin = true
		}
	}
	return t, nil
}

func (f *fake) Diff(_ context.Context, ref, other string) ([]layers.Change, error) {
	f.asked = []string{ref, other}
	return []layers.Change{{Path: "/a", Kind: layers.Added}, {Path: "/b", Kind: layers.Deleted}, {Path: "/c", Kind: layers.Changed}}, nil
}

func (f *fake) Mount(ctx context.Context, refs []string, o define.ImageMountOptions) ([]define.ImageMount, error) {
	f.asked, f.mount = refs, o
	return f.Mounts(ctx)
}

func (f *fake) Mounts(context.Context) ([]define.ImageMount, error) {
	return []define.ImageMount{{ID: id, Repositories: []string{"localhost/a:1"}, Path: "/m"}}, nil
}

func (f *fake) Unmount(_ context.Context, refs []string, o define.ImageMountOptions) ([]string, error) {
	f.asked, f.mount = refs, o
	return []string{id}, nil
}

func (f *fake) Prune(_ context.Context, o define.ImagePruneOptions) ([]define.ImagePruneReport, []error) {
	f.prune = o
	return []define.ImagePruneReport{{ID: id, Size: 10}}, nil
}

func TestTree(t *testing.T) {
	head := "Image ID: abababababab\nTags:     [localhost/a:1 localhost/b:2]\nSize:     1.235MB\n"
	if out, _, err := run(t, &fake{}, NewTree, "a"); err != nil || out != head+"No Image Layers\n\n" {
		t.Errorf("%q, %v", out, err)
	}
	want := head + `Image Layers
├── ID: 111111111111 Size: 2.048kB Top Layer of: [localhost/a:1 localhost/b:2]
├── ID: 222222222222 Size: 2.048kB
├── ID: 333333333333 Size: 2.048kB
│   └── ID: 444444444444 Size: 2.048kB
└── ID: 555555555555 Size: 2.048kB

`
	if out, _, err := run(t, &fake{}, NewTree, "--whatrequires", "a"); err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}

func TestDiff(t *testing.T) {
	f := &fake{}
	if out, _, err := run(t, f, NewDiff, "a"); err != nil || out != "A /a\nD /b\nC /c\n" || f.asked[1] != "" {
		t.Errorf("%q, %v", out, err)
	}
	want := "{\n     \"changed\": [\n          \"/c\"\n     ],\n     \"added\": [\n          \"/a\"\n     ],\n     \"deleted\": [\n          \"/b\"\n     ]\n}\n"
	if out, _, err := run(t, f, NewDiff, "--format", "json", "a", "b"); err != nil || out != want || f.asked[1] != "b" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestMount(t *testing.T) {
	f := &fake{}
	for args, want := range map[string]string{
		"a":               "/m\n",
		"":                "localhost/a:1  /m\n",
		"-a":              "localhost/a:1  /m\n",
		"--format json a": "[\n {\n  \"id\": \"" + id + "\",\n  \"Names\": null,\n  \"Repositories\": [\n   \"localhost/a:1\"\n  ],\n  \"mountpoint\": \"/m\"\n }\n]\n",
	} {
		if out, _, err := run(t, f, NewMount, strings.Fields(args)...); err != nil || out != want {
			t.Errorf("mount %s: %q, %v", args, out, err)
		}
	}
	if out, _, err := run(t, f, NewUnmount, "-f", "a"); err != nil || out != id+"\n" || !f.mount.Force {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPruneAsks(t *testing.T) {
	for answer, want := range map[string]string{"": "", "n\n": "", "y\n": id + "\n", "Yes\n": id + "\n"} {
		s, b := streams.Test()
		b.In.WriteString(answer)
		cmd := NewPrune(Deps{Streams: s, Engine: func(context.Context) (Engine, error) { return &fake{}, nil }})
		cmd.SetArgs([]string{"-a"})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		question := "WARNING! This command removes all images without at least one container associated with them.\nAre you sure you want to continue? [y/N] "
		if out := b.Out.String(); out != question+want {
			t.Errorf("%q: %q", answer, out)
		}
	}
	f := &fake{}
	out, _, err := run(t, f, NewPrune, "-f", "--filter", "label=a", "--filter", "until=1h", "--external")
	if err != nil || out != id+"\n" || len(f.prune.Filters) != 2 || !f.prune.External || f.prune.All {
		t.Errorf("%q, %v, %+v", out, err, f.prune)
	}
}

func mistake(t *testing.T, maker func(Deps) *cobra.Command, args ...string) error {
	t.Helper()
	_, _, err := run(t, &fake{}, maker, args...)
	return err
}

func TestStoreMistakes(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"tree", mistake(t, NewTree), "accepts 1 arg"},
		{"diff", mistake(t, NewDiff), "accepts between 1 and 2"},
		{"diff format", mistake(t, NewDiff, "--format", "x", "a"), "only supported value"},
		{"mount", mistake(t, NewMount, "--format", "x", "a"), "unknown --format argument"},
		{"mount all", mistake(t, NewMount, "-a", "a"), "may not pass any"},
		{"unmount", mistake(t, NewUnmount), "must be specified"},
		{"unmount all", mistake(t, NewUnmount, "-a", "a"), "may not pass any"},
		{"prune", mistake(t, NewPrune, "a"), "takes no arguments"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, c.err, c.want)
		}
	}
}
