package network

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// fake notes what is asked of it.
type fake struct {
	all     []define.Network
	created define.NetworkCreateOptions
	updated define.NetworkUpdateOptions
	removed define.NetworkRemoveOptions
	filters []string
	fails   map[string]error // by what is asked for
}

func (f *fake) Create(_ context.Context, o define.NetworkCreateOptions) (define.Network, error) {
	f.created = o
	return define.Network{Name: "made"}, f.fails[o.Name]
}

func (f *fake) List(_ context.Context, filters []string) ([]define.Network, error) {
	f.filters = filters
	return f.all, nil
}

func (f *fake) Exists(_ context.Context, ref string) (bool, error) {
	return ref == "there", f.fails[ref]
}

func (f *fake) Inspect(_ context.Context, ref string) (define.NetworkInspect, error) {
	return define.NetworkInspect{Network: define.Network{Name: ref}, Containers: map[string]define.NetworkContainer{}}, f.fails[ref]
}

func (f *fake) Remove(_ context.Context, ref string, o define.NetworkRemoveOptions) error {
	f.removed = o
	return f.fails[ref]
}

func (f *fake) Prune(_ context.Context, filters []string) ([]string, []error) {
	f.filters = filters
	return []string{"a", "b"}, []error{errors.New("c is in the way")}
}

func (f *fake) Update(_ context.Context, ref string, o define.NetworkUpdateOptions) error {
	f.updated = o
	return f.fails[ref]
}

func run(t *testing.T, f *fake, maker func(Deps) *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	open := func(context.Context) (Engine, error) { return f, nil }
	cmd := maker(Deps{Streams: streams.Streams{In: strings.NewReader("y\n"), Out: &out, Err: &out}, Engine: open, Reader: open})
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCreate(t *testing.T) {
	f := &fake{}
	out, err := run(t, f, NewCreate, "--disable-dns", "--dns", "1.1.1.1,2.2.2.2", "-d", "macvlan", "--gateway", "10.7.0.1,fd00::1", "--ignore", "--interface-name", "eth0",
		"--internal", "--ip-range", "10.7.0.0/25", "--ipam-driver", "none", "--ipv6", "--label", "a=b", "--label", "c", "-o", "mtu=1400", "--route", "r", "--subnet", "10.7.0.0/24", "n")
	want := define.NetworkCreateOptions{
		Name: "n", Driver: "macvlan", Interface: "eth0", Subnets: []string{"10.7.0.0/24"}, Gateways: []string{"10.7.0.1", "fd00::1"}, Ranges: []string{"10.7.0.0/25"},
		Routes: []string{"r"}, IPAMDriver: "none", IPv6: true, Internal: true, DisableDNS: true, DNS: []string{"1.1.1.1", "2.2.2.2"},
		Labels: map[string]string{"a": "b", "c": ""}, Options: map[string]string{"mtu": "1400"}, Ignore: true,
	}
	if err != nil || out != "made\n" || !reflect.DeepEqual(f.created, want) {
		t.Errorf("%q, %v\n%+v, want\n%+v", out, err, f.created, want)
	}
}

func TestList(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	f := &fake{all: []define.Network{{Name: "web", ID: id, Driver: "bridge", Created: time.Unix(1, 0).UTC(), Labels: map[string]string{"b": "2", "a": ""}}}}
	for _, c := range []struct{ line, want string }{
		{"", "NETWORK ID    NAME        DRIVER\n0123456789ab  web         bridge\n"},
		{"--noheading", "0123456789ab  web         bridge\n"},
		{"--noheading --no-trunc", id + "  web         bridge\n"},
		{"-q", "web\n"},
		{"--format {{.Labels}}|{{.ID}}|{{.Created}}", "a=,b=2|0123456789ab|1970-01-01 00:00:01 +0000 UTC\n"},
	} {
		if out, err := run(t, f, NewList, strings.Fields(c.line)...); err != nil || out != c.want {
			t.Errorf("%q: %q, %v, want %q", c.line, out, err, c.want)
		}
	}
	if out, err := run(t, f, NewList, "--format", "json", "-f", "name=x", "--filter", "id=y"); err != nil || !strings.HasPrefix(out, "[\n  {\n    \"name\": \"web\"") || len(f.filters) != 2 {
		t.Errorf("%q, %v, %v", out, err, f.filters)
	}
	if out, err := run(t, &fake{all: []define.Network{}}, NewList, "--format", "json"); err != nil || out != "[]\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestInspectAndExists(t *testing.T) {
	f := &fake{fails: map[string]error{"nosuch": errs.NotFound("it is not there")}}
	out, err := run(t, f, NewInspect, "a", "nosuch")
	if err == nil || err.Error() != "inspecting object: network nosuch: it is not there" || !strings.HasPrefix(out, "[\n     {\n          \"name\": \"a\"") || !strings.Contains(out, `"containers": {}`) {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, f, NewInspect, "-f", "{{.Name}}", "a", "b"); err != nil || out != "a\nb\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, f, NewExists, "there"); err != nil || out != "" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(t, f, NewExists, "other"); errs.Exit(err) != 1 || err.Error() != "" {
		t.Errorf("%v", err)
	}
}

func TestRemove(t *testing.T) {
	f := &fake{fails: map[string]error{"nosuch": errs.NotFound("not there"), "used": errs.Conflict("in use"), "hull": errors.New("cannot")}}
	for _, c := range []struct {
		line, out string
		code      int
	}{
		{"a b", "a\nb\n", 0},
		{"nosuch a", "a\n", 1},
		{"used", "", 2},
		{"hull", "", 125},
		{"-f nosuch a", "a\n", 0},
		{"--time 3 a", "", 125},
		{"", "", 125},
	} {
		if out, err := run(t, f, NewRm, strings.Fields(c.line)...); out != c.out || errs.Exit(err) != c.code {
			t.Errorf("%q: %q, %v, want %q and %d", c.line, out, err, c.out, c.code)
		}
	}
	for text, want := range map[string]uint{"3": 3, "-1": forever} {
		if _, err := run(t, f, NewRm, "-f", "-t", text, "a"); err != nil || !f.removed.Force || *f.removed.Timeout != want {
			t.Errorf("%+v, %v", f.removed, err)
		}
	}
}

func TestPruneAndUpdate(t *testing.T) {
	f := &fake{}
	out, err := run(t, f, NewPrune, "--filter", "label=x")
	if err == nil || !strings.HasPrefix(out, "WARNING! This will remove all networks not used by at least one container.\nAre you sure") || !strings.HasSuffix(out, "a\nb\n") || f.filters[0] != "label=x" {
		t.Errorf("%q, %v, %v", out, err, f.filters)
	}
	if out, err := run(t, f, NewPrune, "-f"); err == nil || out != "a\nb\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(t, f, NewPrune, "-f", "a"); err == nil || !strings.Contains(err.Error(), "takes no arguments") {
		t.Errorf("%v", err)
	}
	out, err = run(t, f, NewUpdate, "--dns-add", "1.1.1.1,2.2.2.2", "--dns-drop", "3.3.3.3", "n")
	if want := (define.NetworkUpdateOptions{AddDNS: []string{"1.1.1.1", "2.2.2.2"}, DropDNS: []string{"3.3.3.3"}}); err != nil || out != "n\n" || !reflect.DeepEqual(f.updated, want) {
		t.Errorf("%q, %v, %+v", out, err, f.updated)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		maker      func(Deps) *cobra.Command
		line, want string
	}{
		{NewCreate, "a b", "at most 1"},
		{NewCreate, "--label =x", "--label"},
		{NewCreate, "--opt =x", "--opt"},
		{NewCreate, "--gateway x", "--gateway"},
		{NewCreate, "--ignore", "name it"},
		{NewList, "a", "unknown command"},
		{NewInspect, "", "at least 1"},
		{NewExists, "", "accepts 1"},
		{NewUpdate, "", "accepts 1"},
	} {
		if _, err := run(t, &fake{}, c.maker, strings.Fields(c.line)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.line, err, c.want)
		}
	}
}
