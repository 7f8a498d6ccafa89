package config

import (
	"os"
	"path/filepath"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// Monitor is the name of hull's own program that stays with a container.
const Monitor = "hull-conmon"

// FindRuntime is the path of the OCI runtime: name is one of [engine.runtimes], a path, or "" for the key "runtime", else
// crun, else runc.
func (c *Config) FindRuntime(name string) (string, error) {
	if name == "" {
		name = c.Engine.Runtime
	}
	if name == "" {
		for _, name := range []string{"crun", "runc"} {
			if path, ok := c.runtime(name); ok {
				return path, nil
			}
		}
		return "", errs.WithHint(errs.NotFound("no OCI runtime is installed"), "install crun or runc, or name one by --runtime")
	}
	if strings.Contains(name, "/") {
		if !executable(name) {
			return "", errs.NotFound("no OCI runtime at %q", name)
		}
		return filepath.Abs(name)
	}
	if path, ok := c.runtime(name); ok {
		return path, nil
	}
	known := make([]string, 0, len(c.Engine.Runtimes))
	for k := range c.Engine.Runtimes {
		known = append(known, k)
	}
	hint := "install it, or add its path to [engine.runtimes] in containers.conf"
	if _, ok := c.Engine.Runtimes[name]; !ok {
		if near := errs.Nearest(name, known); near != "" {
			hint = `did you mean "` + near + `"?`
		}
	}
	return "", errs.WithHint(errs.NotFound("no OCI runtime %q", name), "%s", hint)
}

// runtime looks a name up in the table, then in $PATH.
func (c *Config) runtime(name string) (string, bool) {
	if path, ok := first(c.Engine.Runtimes[name].Values); ok {
		return path, true
	}
	return inPath(name)
}

// FindMonitor is the path of hull-conmon. conmon_path counts where its last word is hull-conmon: a file that podman shares
// names podman's conmon there, which speaks another protocol.
func (c *Config) FindMonitor() (string, error) {
	for _, path := range c.Engine.ConmonPath.Values {
		if filepath.Base(path) == Monitor && executable(path) {
			return path, nil
		}
	}
	return c.FindHelper(Monitor)
}

// FindHelper is the path of a program that hull starts: beside hull itself, in ../libexec/hull from there, in
// helper_binaries_dir, in $PATH.
func (c *Config) FindHelper(name string) (string, error) {
	own := ""
	if exe, err := os.Executable(); err == nil {
		own = filepath.Dir(exe)
	}
	return c.findHelper(own, name)
}

// findHelper is FindHelper with the folder of hull itself.
func (c *Config) findHelper(own, name string) (string, error) {
	var places []string
	if own != "" {
		places = append(places, filepath.Join(own, name), filepath.Join(own, "../libexec/hull", name))
	}
	for _, dir := range c.Engine.HelperBinariesDir.Values {
		// podman: $BINDIR is the folder of the program itself.
		if rest, ok := strings.CutPrefix(dir, "$BINDIR"); ok {
			dir = own + rest
		}
		places = append(places, filepath.Join(dir, name))
	}
	if path, ok := first(places); ok {
		return path, nil
	}
	if path, ok := inPath(name); ok {
		return path, nil
	}
	return "", errs.WithHint(errs.NotFound("no program %q", name),
		"install it, or add its folder to helper_binaries_dir in containers.conf")
}

// first is the first path that can be executed.
func first(paths []string) (string, bool) {
	for _, p := range paths {
		if executable(p) {
			return p, true
		}
	}
	return "", false
}

// inPath looks through $PATH. A relative folder in there is left out, as os/exec does.
func inPath(name string) (string, bool) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(path) {
			return path, true
		}
	}
	return "", false
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
