package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// call runs the program and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	t.Setenv("CONTAINER_HOST", "")
	t.Setenv("CONTAINER_CONNECTION", "")
	s, b := streams.Test()
	code = Main(args, s)
	return code, b.Out.String(), b.Err.String()
}

func TestErrorLine(t *testing.T) {
	for args, want := range map[string]string{
		"vresion":                           `unknown command "hull vresion"; did you mean "version"?`,
		"frobnicate":                        `unknown command "hull frobnicate"; hull --help lists the commands`,
		"pod create x":                      `"hull pod create" is not built yet`,
		"pod --log-level debug craete":      `unknown command "hull pod debug"; hull pod --help lists the commands`,
		"pod":                               `"hull pod" is not built yet`,
		"pod --help":                        `"hull pod" is not built yet`,
		"kube play":                         `"hull kube play" is not built yet`,
		"umount":                            `"hull umount" is not built yet`,
		"--remote version":                  `--remote is not built yet`,
		"-r version":                        `--remote is not built yet`,
		"version --url x":                   `--url is not built yet`,
		"version --fromat x":                `unknown flag: --fromat; did you mean "--format"?`,
		"version --qqqqqqqq":                `unknown flag: --qqqqqqqq; see "hull version --help"`,
		"--qqqqqqqq version":                `unknown flag: --qqqqqqqq; see "hull --help"`,
		"version -x":                        `unknown shorthand flag: 'x' in -x; see "hull version --help"`,
		"--root":                            `flag needs an argument: --root; see "hull --help"`,
		"version x":                         `hull version takes no arguments, and not "x"`,
		"--log-level bad version":           `--log-level "bad" is not known; it is one of trace, debug, info, warn, warning, error, fatal, panic`,
		"--cgroup-manager sytemd version":   `--cgroup-manager "sytemd" is not known; did you mean "systemd"?`,
		"--events-backend journald version": `--events-backend journald is not built yet`,
		"help pod":                          `"hull pod" is not built yet`,
		"help vresion":                      `unknown command "hull vresion"; did you mean "version"?`,
		"completion":                        `completion takes one shell, not 0; it is one of bash, zsh, fish, powershell`,
		"completion bsh":                    `no completion for shell "bsh"; did you mean "bash"?`,
		"version --format {{.Foo}}":         `no field "Foo" for --format; there are Client, Server`,
	} {
		t.Run(args, func(t *testing.T) {
			code, out, errOut := call(t, strings.Fields(args)...)
			if code != 125 || errOut != "Error: "+want+"\n" || out != "" {
				t.Errorf("exit %d, out %q, err\n%swant\nError: %s", code, out, errOut, want)
			}
		})
	}
}

func TestRemoteVariableIsNotIgnored(t *testing.T) {
	t.Setenv("CONTAINER_HOST", "unix:///x")
	s, b := streams.Test()
	if code := Main([]string{"version"}, s); code != 125 || !strings.Contains(b.Err.String(), "$CONTAINER_HOST") {
		t.Errorf("exit %d, %s", code, b.Err)
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"-v"}, {"--version"}, {"--root", "version", "-v"}} {
		if code, out, _ := call(t, args...); code != 0 || out != "hull version "+hullVersion()+"\n" {
			t.Errorf("%v: exit %d, %q", args, code, out)
		}
	}
	for layout, want := range map[string]string{
		"{{.Version}}": hullVersion(), "{{.Client.Version}}": hullVersion(), "{{.Client.Os}}\\t{{.Client.OsArch}}": "linux\tlinux/",
		"{{json .Client.Os}}": `"linux"`,
	} {
		if code, out, errOut := call(t, "version", "--format", layout); code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: exit %d, %q, %q", layout, code, out, errOut)
		}
	}
	_, out, _ := call(t, "version", "-f", "json")
	var v map[string]map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil || v["Client"]["APIVersion"] != apiVersion || v["Client"]["Built"] == nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestVersionTable holds the columns of podman 4.3.1.
func TestVersionTable(t *testing.T) {
	s, b := streams.Test()
	c := clientVersion{APIVersion: "4.3.1", Version: "4.3.1", GoVersion: "go1.19.8", BuiltTime: "Thu Jan  1 00:00:00 1970", OsArch: "linux/amd64"}
	if err := versionTable(s, c); err != nil {
		t.Fatal(err)
	}
	const want = `Client:       Hull Engine
Version:      4.3.1
API Version:  4.3.1
Go Version:   go1.19.8
Built:        Thu Jan  1 00:00:00 1970
OS/Arch:      linux/amd64
`
	if got := b.Out.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "-h", "help", "--log-level debug --help"} {
		code, out, _ := call(t, strings.Fields(args)...)
		if code != 0 || !strings.HasPrefix(out, "Manage pods, containers and images\n\nUsage:\n  hull [options] [command]\n\nAvailable Commands:\n") || !strings.Contains(out, "\n  version ") {
			t.Errorf("%s: exit %d\n%s", args, code, out)
		}
	}
	for _, args := range []string{"version --help", "version -h", "help version", "--help version"} {
		code, out, _ := call(t, strings.Fields(args)...)
		if code != 0 || !strings.Contains(out, "Usage:\n  hull version [options]\n\nExamples:\n  hull version\n") || strings.Contains(out, "--root") {
			t.Errorf("%s: exit %d\n%s", args, code, out)
		}
	}
	code, _, errOut := call(t)
	if code != 125 || !strings.HasSuffix(errOut, "Error: missing command: hull COMMAND\n") {
		t.Errorf("no command: exit %d\n%s", code, errOut)
	}
}

// TestOptionLines holds lines of podman stop --help.
func TestOptionLines(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.BoolP("all", "a", false, "Stop all running containers")
	fs.StringArray("cidfile", nil, "Read the container ID from the file")
	fs.BoolP("latest", "l", false, "Act on the latest container podman is aware of\nNot supported with the \"--remote\" flag")
	fs.UintP("time", "t", 10, "Seconds to wait for stop before killing the container")
	fs.String("secret", "", "")
	_ = fs.MarkHidden("secret")
	const want = `  -a, --all                   Stop all running containers
      --cidfile stringArray   Read the container ID from the file
  -l, --latest                Act on the latest container podman is aware of
                              Not supported with the "--remote" flag
  -t, --time uint             Seconds to wait for stop before killing the container (default 10)
`
	if got := optionLines(fs); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "__start_hull", "zsh": "#compdef hull", "fish": "complete -c hull", "powershell": "Register-ArgumentCompleter"} {
		code, out, _ := call(t, "completion", shell)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, %d bytes", shell, code, len(out))
		}
		_, short, _ := call(t, "completion", "--no-desc", shell)
		if short == out {
			t.Errorf("%s: --no-desc changes nothing", shell)
		}
	}
	path := filepath.Join(t.TempDir(), "f")
	if code, out, _ := call(t, "completion", "bash", "-f", path); code != 0 || out != "" {
		t.Errorf("exit %d, %q", code, out)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) == 0 {
		t.Error(err)
	}
	code, out, _ := call(t, "__complete", "vers")
	if code != 0 || !strings.HasPrefix(out, "version\tDisplay") {
		t.Errorf("__complete: exit %d, %q", code, out)
	}
}

// seen is what a command of the test's table was given.
type seen struct {
	path string
	args []string
	log  string
	tag  []string
}

// testTree has commands at every depth.
func testTree(s streams.Streams, got *seen, made *int) *tree {
	maker := func(d deps) *cobra.Command {
		*made++
		cmd := &cobra.Command{Use: "x [options] ARG"}
		tags := cmd.Flags().StringArray("tag", nil, "")
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*got = seen{cmd.CommandPath(), args, d.globals.logLevel, *tags}
			return nil
		}
		cmd.Flags().StringP("hostname", "h", "", "")
		cmd.Flags().SetInterspersed(false)
		return cmd
	}
	t := newTree(s)
	t.table = []entry{
		{"", "run", maker}, {"container", "run", maker}, {"container", "list ls", maker}, {"system connection", "add", maker},
	}
	return t
}

func TestOnlyTheAskedCommandIsMade(t *testing.T) {
	for line, want := range map[string]seen{
		"run":                   {"hull run", []string{}, "warn", nil},
		"run run --log-level x": {"hull run", []string{"run", "--log-level", "x"}, "warn", nil},
		"--log-level debug run --tag a --tag=b c":    {"hull run", []string{"c"}, "debug", []string{"a", "b"}},
		"run --log-level debug c":                    {"hull run", []string{"c"}, "debug", nil},
		"--root run container --log-level=info ls c": {"hull container list", []string{"c"}, "info", nil},
		"system connection add a b":                  {"hull system connection add", []string{"a", "b"}, "warn", nil},
		"run -h name c":                              {"hull run", []string{"c"}, "warn", nil},
		"run -- -x":                                  {"hull run", []string{"-x"}, "warn", nil},
	} {
		t.Run(line, func(t *testing.T) {
			s, b := streams.Test()
			var got seen
			made := 0
			if err := testTree(s, &got, &made).execute(t.Context(), strings.Fields(line)); err != nil {
				t.Fatal(err, b.Err)
			}
			if made != 1 || got.path != want.path || got.log != want.log || fmt.Sprint(got.args, got.tag) != fmt.Sprint(want.args, want.tag) {
				t.Errorf("made %d, got %+v, want %+v", made, got, want)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	for line, want := range map[string]string{
		"container":             "missing command: hull container COMMAND",
		"system connection":     "missing command: hull system connection COMMAND",
		"container lsit":        `unknown command "hull container lsit"`,
		"container stop":        `"hull container stop" is not built yet`,
		"system connection rmo": `unknown command "hull system connection rmo"`,
	} {
		s, _ := streams.Test()
		var got seen
		made := 0
		err := testTree(s, &got, &made).execute(t.Context(), strings.Fields(line))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	s, b := streams.Test()
	made := 0
	if err := testTree(s, new(seen), &made).execute(t.Context(), []string{"container", "--help"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.Out.String(), "hull container [command]") || !strings.Contains(b.Out.String(), "  list ") {
		t.Errorf("%s", b.Out)
	}
}

func TestEveryEntryIsInTheSurface(t *testing.T) {
	list := readSurface()
	s, _ := streams.Test()
	for _, e := range table() {
		path := strings.Join(e.path(), " ")
		if path == "completion" {
			continue // cobra's own in podman's list
		}
		if !list.hasCommand(path) {
			t.Errorf("%s is not in surface.tsv", path)
		}
		if e.group != "" && groups()[e.group] == "" {
			t.Errorf("the group %q has no words in groups()", e.group)
		}
		cmd := e.make(newTree(s).deps)
		if cmd.Short == "" || cmd.RunE == nil {
			t.Errorf("%s lacks a short text or a run", path)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := list.flag(path, f.Name); !ok && !f.Hidden && f.Name != "help" {
				t.Errorf("%s --%s is not in surface.tsv", path, f.Name)
			}
		})
	}
	if len(list) < 200 || len(list["(global)"]) < 30 {
		t.Errorf("surface.tsv has %d commands", len(list))
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	s, _ := streams.Test()
	var missing []string
	for _, e := range table() {
		if e.make(newTree(s).deps).Example == "" {
			missing = append(missing, strings.Join(e.path(), " "))
		}
	}
	if len(missing) > 0 {
		t.Errorf("no example in the help of: %s", strings.Join(missing, ", "))
	}
}

func TestPrintError(t *testing.T) {
	base := errors.New("no such container \"web\"")
	for name, c := range map[string]struct {
		err  error
		want string
		code int
	}{
		"none":        {nil, "", 0},
		"plain":       {base, "Error: no such container \"web\"\n", 125},
		"hint":        {errs.WithHint(base, "look"), "Error: no such container \"web\"; look\n", 125},
		"silent exit": {errs.WithExit(nil, 7), "", 7},
		"exit":        {errs.WithExit(base, 126), "Error: no such container \"web\"\n", 126},
		"line feeds":  {errors.New("a:\n  b\n"), "Error: a: b\n", 125}, //nolint:revive // as libraries have them
		"joined":      {errors.Join(base, errs.WithHint(errors.New("b"), "do")), "Error: no such container \"web\"\nError: b; do\n", 125},
		"joined exit": {errs.WithExit(errs.WithHint(errors.Join(base, errors.New("b")), "h"), 1), "Error: no such container \"web\"; h\nError: b; h\n", 1},
		"wrapped":     {fmt.Errorf("stop: %w", errors.Join(base, errors.New("b"))), "Error: stop: no such container \"web\" b\n", 125},
		"two causes":  {fmt.Errorf("%w and %w", base, errors.New("b")), "Error: no such container \"web\" and b\n", 125},
	} {
		var b bytes.Buffer
		printError(&b, c.err)
		if b.String() != c.want || errs.Exit(c.err) != c.code {
			t.Errorf("%s: exit %d\n%swant\n%s", name, errs.Exit(c.err), b.String(), c.want)
		}
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	ctx, stop := withSignals(context.Background())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the context goes on")
	}
	if cause, ok := errors.AsType[signalError](context.Cause(ctx)); !ok || cause.Signal != syscall.SIGTERM {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}

func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, []byte("[engine]\nruntime = \"runc\"\ntmp_dir = \"/t\"\nenv = [\"HULL_TEST_SET=1\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_CONF", path)
	t.Setenv("HULL_TEST_SET", "0")
	g := &globals{runtime: "crun", hooksDirs: []string{"/h"}}
	c, err := g.settings()
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine.Runtime != "crun" || c.Engine.TmpDir != "/t" || c.Engine.HooksDir.Values[0] != "/h" || os.Getenv("HULL_TEST_SET") != "0" {
		t.Errorf("%+v", c.Engine)
	}
}

func TestSelf(t *testing.T) {
	s, _ := streams.Test()
	tr := newTree(s)
	root := tr.root()
	if err := root.ParseFlags([]string{"--root", "/r", "--runtime-flag", "a", "--runtime-flag=b c", "--syslog"}); err != nil {
		t.Fatal(err)
	}
	got, err := tr.deps.self()
	want := []string{"--root=/r", "--runtime-flag=a", "--runtime-flag=b c", "--syslog=true"}
	if err != nil || !reflect.DeepEqual(got[1:], want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"run", "--root x container ls", "-- run", "--log-level", "container --", "-rv", "help x", "system connection add"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s, _ := streams.Test()
		made := 0
		tr := testTree(s, new(seen), &made)
		_, _ = tr.resolve(strings.Split(line, " "))
		if made > 0 {
			t.Errorf("%q made a command", line)
		}
	})
}
