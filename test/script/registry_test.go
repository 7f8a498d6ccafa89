package script

import (
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"hull.dev/hull/test/env"
)

// registry [-auth USER:PASSWORD] [-tls] [-schema1] [NAME] starts an empty registry that ends with the story. $NAME, which is $REGISTRY
// when none is given, is its host and port, $NAME_LOG the file with a line for each request, and with -tls $NAME_CERTS the
// folder with its ca.crt. The sandbox's registries.conf has it, and the first one as the place to search.
func registry(ts *testscript.TestScript, neg bool, args []string) {
	name := "REGISTRY"
	var o env.RegistryOptions
	for len(args) > 0 && !neg {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "-tls":
			o.TLS = true
		case arg == "-schema1":
			o.Schema1 = true
		case arg == "-auth" && len(args) > 0:
			o.User, o.Password, _ = strings.Cut(args[0], ":")
			args = args[1:]
		case len(args) == 0 && !strings.HasPrefix(arg, "-"):
			name = arg
		default:
			neg = true
		}
	}
	if neg {
		ts.Fatalf("usage: registry [-auth USER:PASSWORD] [-tls] [-schema1] [NAME]")
	}
	o.Dir = filepath.Join(ts.Getenv("SANDBOX"), "registry-"+strings.ToLower(name))
	r, err := env.StartRegistry(o)
	ts.Check(err)
	ts.Defer(func() { ts.Check(r.Stop()) })
	ts.Check(r.Configure(ts.Getenv("HOME")))
	ts.Setenv(name, r.Host)
	ts.Setenv(name+"_LOG", r.Log)
	ts.Setenv(name+"_CERTS", r.Certs)
}

// layout [-bare] [-arch ARCH]… DIR TAG [TEXT…] writes an OCI layout with an image of busybox, or of nothing with -bare, and
// a layer for each text, which is the file /etc/textN; with -arch it is a list of images.
func layout(ts *testscript.TestScript, neg bool, args []string) {
	l := env.Layout{Base: ts.Getenv("BUSYBOX")}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-bare":
			l.Base = ""
		case args[0] == "-arch" && len(args) > 1:
			l.Arches = append(l.Arches, args[1])
			args = args[1:]
		default:
			neg = true
		}
		args = args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: layout [-bare] [-arch ARCH]… DIR TAG [TEXT…]")
	}
	l.Dir, l.Texts = ts.MkAbs(args[0]), args[2:]
	ts.Check(l.Write(args[1]))
}
