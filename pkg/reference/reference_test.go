package reference

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"busybox":                      "docker.io/library/busybox",
		"me/busybox:1":                 "docker.io/me/busybox:1",
		"index.docker.io/busybox":      "docker.io/library/busybox",
		"localhost/busybox":            "localhost/busybox",
		"localhost:5000/a/b:1.2":       "localhost:5000/a/b:1.2",
		"[::1]:5000/a":                 "[::1]:5000/a",
		"quay.io/a__b/c-d.e@" + digest: "quay.io/a__b/c-d.e@" + digest,
		"a:b@" + digest:                "docker.io/library/a:b@" + digest,
	} {
		got, err := Normalize(in)
		if err != nil || got.String() != want {
			t.Errorf("Normalize(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestNormalizeLocal(t *testing.T) {
	for in, want := range map[string]string{
		"busybox":                 "localhost/busybox:latest",
		"me/busybox:1":            "localhost/me/busybox:1",
		"docker.io/busybox":       "docker.io/library/busybox:latest",
		"localhost:5000/a":        "localhost:5000/a:latest",
		"example.com/a@" + digest: "example.com/a@" + digest,
	} {
		got, err := NormalizeLocal(in)
		if err != nil || got.String() != want {
			t.Errorf("NormalizeLocal(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, why := range map[string]string{
		"":                              "empty",
		"Busybox":                       "write busybox",
		"a//b":                          "empty part",
		"/a":                            "empty part",
		"a/":                            "empty part",
		":1":                            "empty",
		"a:":                            "leave it out",
		"a:-1":                          "begins with",
		"a: 1":                          "not allowed in a tag",
		"a b":                           "not allowed",
		"-a":                            "begins and ends",
		"a..b":                          "not allowed",
		"a@sha256:12":                   "in full length",
		"a@12":                          "sha256:HEX",
		"exa_mple.com/a":                "not a registry",
		"example.com:port/a":            "not a number",
		strings.Repeat("a/", 200):       "longer than 255",
		"a:" + strings.Repeat("1", 129): "longer than 128",
		digest[7:]:                      "image id",
	} {
		_, err := Parse(in)
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), why) {
			t.Errorf("Parse(%q): %v; want %q", in, err, why)
		}
	}
}

func TestLocal(t *testing.T) {
	r, err := Parse("busybox:1@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range r.Local() {
		got = append(got, c.String())
	}
	want := "localhost/busybox@" + digest + " docker.io/library/busybox@" + digest
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		short, full string
		want        bool
	}{
		{"alpine", "quay.io/me/alpine:latest", true},
		{"me/alpine", "quay.io/me/alpine:latest", true},
		{"pine", "quay.io/me/alpine:latest", false},
		{"alpine:1", "quay.io/me/alpine:latest", false},
	} {
		short, err := Parse(c.short)
		if err != nil {
			t.Fatal(err)
		}
		full, err := Parse(c.full)
		if err != nil {
			t.Fatal(err)
		}
		if got := short.Matches(full); got != c.want {
			t.Errorf("%q matches %q: %v", c.short, c.full, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"busybox", "localhost:5000/a/b:c@" + digest, "[::1]:1/a", "a__b", "a.-b", "A/b", "a@b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		if r.String() != s {
			t.Fatalf("%q was read as %q", s, r)
		}
		if again, err := Parse(r.docker().String()); err != nil || again != r.docker() {
			t.Fatalf("%q: normalized %q does not read back: %v", s, r.docker(), err)
		}
	})
}
