package imagecopy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/pkg/errs"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		place  Place
		image  string
		remote bool
	}{
		"alpine":             {image: "alpine"},
		"h:5000/x@sha256:ab": {image: "h:5000/x@sha256:ab"},
		"web::":              {place: Place{Host: "web"}, remote: true},
		"web::h:5000/x:1":    {Place{Host: "web"}, "h:5000/x:1", true},
		"ann@10.0.0.1:22/run/user/1/podman.sock::x": {Place{"ann", "10.0.0.1", "22"}, "x", true},
		"ssh://ann@web:2222::x":                     {Place{"ann", "web", "2222"}, "x", true},
		"ann@[fe80::1]:22::x":                       {Place{"ann", "fe80::1", "22"}, "x", true},
		"ann@localhost::x":                          {Place{User: "ann"}, "x", true},
		"localhost:22::x":                           {Place{Host: "localhost", Port: "22"}, "x", true},
		"localhost::x":                              {image: "x", remote: true},
	} {
		if p, image, remote, err := Parse(text); err != nil || p != want.place || image != want.image || remote != want.remote {
			t.Errorf("%s: %+v %q %v, %v", text, p, image, remote, err)
		}
	}
	for _, text := range []string{"::x", "-oProxyCommand=x::", "-l@web::x", "a b::x", "ann:secret@web::x"} {
		if p, _, _, err := Parse(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

// engineAt writes a program that stands for hull.
func engineAt(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hull")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCopy(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"whole":      {`case $1 in save) echo "$@";; load) cat; echo loaded "$@";; esac`, ""},
		"no image":   {`case $1 in save) echo line >&2; echo "Error: no such image" >&2; exit 125;; load) cat; echo "Error: it ends early" >&2; exit 125;; esac`, `save image "x" on this machine: no such image`},
		"no space":   {`case $1 in save) exec yes;; load) echo "Error: no space" >&2; exit 125;; esac`, `load image "x" on this machine: no space`},
		"no program": {`case $1 in save) exit 3;; load) cat;; esac`, `save image "x" on this machine: exit status 3`},
	} {
		var out, said bytes.Buffer
		err := Copy(t.Context(), Options{Image: "x", Self: []string{engineAt(t, c.script)}, Quiet: true, Out: &out, Err: &said})
		if c.want == "" && (err != nil || out.String() != "save --quiet -- x\nloaded load --quiet\n") || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v, %q, %q", name, err, out.String(), said.String())
		}
	}
	err := Copy(t.Context(), Options{Image: "x", Self: []string{"/nosuch/hull"}, Out: t.Output(), Err: t.Output()})
	if err == nil || !strings.Contains(err.Error(), `start "/nosuch/hull"`) {
		t.Errorf("no hull: %v", err)
	}
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	o := &Options{Self: []string{"/bin/hull", "--root=/r"}}
	cmd, err := o.command(t.Context(), Place{"ann", "web", "22"}, []string{"save", "--", "a'; x"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-T", "-p", "22", "-l", "ann", "--", "web", "exec sh -c " + quote(engine) + ` hull 'save' '--' 'a'\''; x'`}
	if !slices.Equal(cmd.Args[1:], want) {
		t.Errorf("%q, want %q", cmd.Args[1:], want)
	}
	if cmd, err := o.command(t.Context(), Place{}, []string{"load"}); err != nil || !slices.Equal(cmd.Args, []string{"/bin/hull", "--root=/r", "load"}) {
		t.Errorf("%q, %v", cmd.Args, err)
	}
	if os.Getuid() == 0 {
		cmd, err := o.command(t.Context(), Place{User: "nobody"}, []string{"load"})
		if err != nil || cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential.Uid == 0 || !slices.Equal(cmd.Args, []string{"/bin/hull", "load"}) {
			t.Errorf("as another user: %+v, %v", cmd, err)
		}
	}
	if _, err := o.command(t.Context(), Place{User: "no such user"}, nil); err == nil {
		t.Error("a user who is not there")
	}
	t.Setenv("PATH", "/nosuch")
	if _, err := o.command(t.Context(), Place{Host: "web"}, nil); err == nil || !strings.Contains(errs.Hint(err), "openssh-client") {
		t.Errorf("no ssh: %v", err)
	}
}
