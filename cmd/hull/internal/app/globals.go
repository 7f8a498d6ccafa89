package app

import (
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// globals are the flags that every command has. "" and nil ask for nothing: containers.conf holds. Global flags of the
// surface that are not here answer that they are not built yet.
type globals struct {
	root          string   // --root: images, layers and the durable state
	runRoot       string   // --runroot: what a reboot empties
	imageStore    string   // --imagestore: images apart from root
	storageDriver string   // --storage-driver
	storageOpts   []string // --storage-opt
	tmpDir        string   // --tmpdir: hull's own runtime directory
	volumePath    string   // --volumepath
	networkDir    string   // --network-config-dir
	runtime       string   // --runtime: a name in containers.conf or a path
	runtimeFlags  []string // --runtime-flag, without the two dashes
	conmon        string   // --conmon: path of hull-conmon
	cgroupManager string   // --cgroup-manager: cgroupfs or systemd
	events        string   // --events-backend: file or none
	hooksDirs     []string // --hooks-dir
	modules       []string // --module: more containers.conf files
	logLevel      string   // --log-level
	syslog        bool     // --syslog
	config        string   // --config: docker has it; ignored, as in podman
}

// add defines the flags on fs.
func (g *globals) add(fs *pflag.FlagSet) {
	fs.StringVar(&g.cgroupManager, "cgroup-manager", "", `Cgroup manager to use ("cgroupfs"|"systemd")`)
	fs.StringVar(&g.config, "config", "", "Ignored; exists for compatibility with docker")
	fs.StringVar(&g.conmon, "conmon", "", "Path of the hull-conmon binary")
	fs.StringVar(&g.events, "events-backend", "", `Events backend to use ("file"|"none")`)
	lists.Var(fs, &g.hooksDirs, "hooks-dir", "", "Directory of OCI hooks (may be given several times)")
	fs.StringVar(&g.imageStore, "imagestore", "", "Path to the image store, when it is not below the root directory")
	fs.StringVar(&g.logLevel, "log-level", "warn", "Log messages of this level and above ("+strings.Join(logLevels(), ", ")+")")
	lists.Var(fs, &g.modules, "module", "", "Load this containers.conf module (may be given several times)")
	fs.StringVar(&g.networkDir, "network-config-dir", "", "Path to the directory of the definitions of networks")
	fs.StringVar(&g.root, "root", "", "Path to the directory in which data, including images, is stored")
	fs.StringVar(&g.runRoot, "runroot", "", "Path to the directory of the state that a reboot empties")
	fs.StringVar(&g.runtime, "runtime", "", "OCI runtime: a name in containers.conf or a path")
	lists.Var(fs, &g.runtimeFlags, "runtime-flag", "", "Global flag for the OCI runtime (may be given several times)")
	fs.StringVar(&g.storageDriver, "storage-driver", "", "Storage driver of images and containers")
	lists.Var(fs, &g.storageOpts, "storage-opt", "", "Option for the storage driver (may be given several times)")
	fs.BoolVar(&g.syslog, "syslog", false, "Log to syslog as well as to the error output")
	fs.StringVar(&g.tmpDir, "tmpdir", "", "Path to the directory of hull's runtime state")
	fs.StringVar(&g.volumePath, "volumepath", "", "Path to the directory of named volumes")
	_ = fs.MarkHidden("config")
}

// check refuses values that no command can work with and starts the log. It runs before every command.
func (g *globals) check(s streams.Streams) error {
	for _, c := range []struct {
		flag, value   string
		right, listed []string // listed: podman has it, hull does not yet
	}{
		{"--cgroup-manager", g.cgroupManager, []string{"cgroupfs", "systemd"}, nil},
		{"--events-backend", g.events, []string{"file", "none"}, []string{"journald"}},
		{"--log-level", strings.ToLower(g.logLevel), logLevels(), nil},
	} {
		switch {
		case c.value == "" || slices.Contains(c.right, c.value):
		case slices.Contains(c.listed, c.value):
			return errs.NotBuilt(c.flag + " " + c.value)
		default:
			return errs.WithHint(errs.Invalid("%s %q is not known", c.flag, c.value), "%s", choose(c.value, c.right))
		}
	}
	if v := remoteVariable(); v != "" {
		return errs.WithHint(errs.NotBuilt("a remote engine ($"+v+")"), "unset it to use the local one")
	}
	g.startLog(s.Err)
	if g.config != "" {
		slog.Warn("--config is ignored, as in podman; it exists for compatibility with docker")
	}
	return nil
}

// remoteVariable is the environment variable that asks podman for a remote service, when one does.
func remoteVariable() string {
	for _, v := range []string{"CONTAINER_HOST", "CONTAINER_CONNECTION"} {
		if os.Getenv(v) != "" {
			return v
		}
	}
	return ""
}

// choose is the hint for a value that is none of right.
func choose(value string, right []string) string {
	if near := errs.Nearest(value, right); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it is one of " + strings.Join(right, ", ")
}

// logLevels are podman's words, the most talkative first.
func logLevels() []string {
	return []string{"trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"}
}

// startLog sends slog's default logger to the error output and, if asked, to syslog. A syslog that is not there is a
// warning: the command can do its work without.
func (g *globals) startLog(w io.Writer) {
	levels := map[string]slog.Level{
		"trace": slog.LevelDebug - 4, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn,
		"warning": slog.LevelWarn, "error": slog.LevelError, "fatal": slog.LevelError + 4, "panic": slog.LevelError + 8,
	}
	o := &slog.HandlerOptions{Level: levels[strings.ToLower(g.logLevel)], ReplaceAttr: podmanLevel}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if !g.syslog {
		slog.SetDefault(slog.New(h))
		return
	}
	sys, err := syslog.New(syslog.LOG_INFO|syslog.LOG_USER, program)
	if err == nil {
		h = slog.NewMultiHandler(h, slog.NewTextHandler(sys, o))
	}
	slog.SetDefault(slog.New(h))
	if err != nil {
		slog.Warn("no syslog here", "error", err)
	}
}

// podmanLevel makes the levels the words that podman's log has: level=warning.
func podmanLevel(_ []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey {
		word := strings.ToLower(level.String())
		switch {
		case level < slog.LevelDebug:
			word = "trace"
		case level == slog.LevelWarn:
			word = "warning"
		}
		return slog.String(slog.LevelKey, word)
	}
	return a
}
