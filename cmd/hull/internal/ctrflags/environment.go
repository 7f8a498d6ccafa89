package ctrflags

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// environmentFlags are the container's environment.
type environmentFlags struct {
	env, files, unset     []string
	merge                 []string
	host, unsetAll, proxy bool
}

func (g *environmentFlags) add(fs *pflag.FlagSet, _ bool) {
	lists.Var(fs, &g.env, "env", "e", "Set environment variables in container")
	lists.Var(fs, &g.merge, "env-merge", "", "Preprocess environment variables from image before injecting them into the container (NAME=VALUE, where ${NAME} is the image's)")
	lists.Var(fs, &g.files, "env-file", "", "Read in a file of environment variables")
	lists.Var(fs, &g.unset, "unsetenv", "", "Unset environment default variables in container")
	fs.BoolVar(&g.unsetAll, "unsetenv-all", false, "Unset all default environment variables in container")
	fs.BoolVar(&g.host, "env-host", false, "Use all current host environment variables in container")
	fs.BoolVar(&g.proxy, "http-proxy", true, "Set proxy environment variables in the container based on the host proxy vars")
}

func (g *environmentFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) error {
	if g.host || c.Containers.EnvHost {
		o.Env = os.Environ()
	}
	// podman takes -e "$MAYBE" with nothing in it, if it is the only -e, and not in exec.
	given := slices.DeleteFunc(slices.Clone(g.env), func(text string) bool { return text == "" })
	env, err := Environment(given, g.files)
	if err != nil {
		return err
	}
	o.Env = append(o.Env, env...)
	for _, text := range g.merge {
		if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
			return errs.Invalid("--env-merge %q is not NAME=VALUE", text)
		}
	}
	o.EnvMerge = g.merge
	o.UnsetEnv, o.UnsetEnvAll = g.unset, g.unsetAll
	o.HTTPProxy = g.proxy
	if !fs.Changed("http-proxy") {
		o.HTTPProxy = c.Containers.HTTPProxy
	}
	return nil
}

// Environment returns KEY=VALUE for --env-file and -e, the latter last. KEY alone takes the value that the variable has
// here, KEY* all whose names begin so; one that is not set here is left out. White space before a name is dropped, as
// podman has it; in a name and behind it, it is part of the name.
func Environment(env, files []string) ([]string, error) {
	var out []string
	for _, path := range files {
		lines, err := readLines(path)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		for i, line := range lines {
			if out, err = addVariable(out, line); err != nil {
				return nil, fmt.Errorf("--env-file %s, entry %d: %w", path, i+1, err)
			}
		}
	}
	var err error
	for _, text := range env {
		if out, err = addVariable(out, text); err != nil {
			return nil, fmt.Errorf("--env: %w", err)
		}
	}
	return out, nil
}

func addVariable(out []string, text string) ([]string, error) {
	text = strings.TrimLeft(text, " \t")
	key, _, ok := strings.Cut(text, "=")
	switch {
	case key == "":
		return nil, errs.Invalid("%q has no name before =", text)
	case strings.Contains(text, "\x00"):
		return nil, errs.Invalid("variable %q holds a NUL byte", key)
	case ok:
		return append(out, text), nil
	}
	if prefix, all := strings.CutSuffix(key, "*"); all {
		for _, e := range os.Environ() {
			if strings.HasPrefix(e, prefix) {
				out = append(out, e)
			}
		}
		return out, nil
	}
	if value, set := os.LookupEnv(key); set {
		out = append(out, key+"="+value)
	}
	return out, nil
}
