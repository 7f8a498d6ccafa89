package registry

import (
	"reflect"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/layers"
)

func TestStoreOf(t *testing.T) {
	for details, want := range map[string]layers.Options{
		"x:1":                            {},
		"[vfs@/g+/r]x:1":                 {Driver: "vfs", Root: "/g", RunRoot: "/r"},
		"[/g]x:1":                        {Root: "/g"},
		"[overlay@/g+/r:a.b=c,d.e=f]x:1": {Driver: "overlay", Root: "/g", RunRoot: "/r", DriverOptions: []string{"a.b=c", "d.e=f"}},
		"[overlay@/g:a.b=c+d]x:1":        {Driver: "overlay", Root: "/g", DriverOptions: []string{"a.b=c+d"}},
		"[]x:1":                          {},
	} {
		o, image, ok := cutStore(details)
		if !reflect.DeepEqual(o, want) || image != "x:1" || ok != (details != "x:1") {
			t.Errorf("%s: %+v, %q, %v", details, o, image, ok)
		}
	}
	dir := t.TempDir()
	own, err := layers.Open(layers.Options{Root: dir + "/root", RunRoot: dir + "/run", Driver: "vfs"})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{store: own}
	for _, details := range []string{"x", "[vfs@" + dir + "/root]x", "[" + dir + "/root/+/elsewhere]x"} {
		if got, image, err := j.storeOf(details, false); got != own || image != "x" || err != nil {
			t.Errorf("%s is another store: %q, %v", details, image, err)
		}
	}
	if _, _, err := j.storeOf("["+dir+"/other]x", false); !errdefs.IsNotFound(err) {
		t.Errorf("a store that is not there: %v", err)
	}
	if got, _, err := j.storeOf("["+dir+"/other]x", true); err != nil || got == own || got.GraphRoot() != dir+"/other" {
		t.Errorf("a store to be made: %v", err)
	}
	for _, details := range []string{"[]x", "[other]x", "[/g+run]x"} {
		if _, _, err := j.storeOf(details, true); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", details, err)
		}
	}
}
