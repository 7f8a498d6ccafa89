package script

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"hull.dev/hull/test/env"
)

// lan makes the command that connects from another machine than the host (env.FromLan). It fails when the other side
// refuses or says nothing in time.
func lan(base string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		kind := "tcp"
		if len(args) > 0 && args[0] == "-udp" {
			kind, args = "udp", args[1:]
		}
		if len(args) == 0 {
			ts.Fatalf("usage: lan [-udp] ADDRESS:PORT TEXT…")
		}
		out, err := env.FromLan(base, kind, args[0], strings.Join(args[1:], " ")+"\n")
		ts.Check(err)
		_, _ = ts.Stdout().Write([]byte(out))
		if strings.HasPrefix(out, "error:") != neg {
			ts.Fatalf("%s %s: %s", kind, args[0], out)
		}
	}
}
