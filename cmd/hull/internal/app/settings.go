package app

import (
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/rootless"
)

// settings reads containers.conf, puts the global flags over it, and logs what has no effect. It also sets the variables of
// the key "env" in [engine] that the environment does not have.
func (g *globals) settings() (*config.Config, error) {
	c, warnings, err := config.Load(config.Options{Root: !rootless.Rootless(), Modules: g.modules})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		slog.Warn(w.String())
	}
	for _, pair := range c.Engine.Env.Values {
		name, value, _ := strings.Cut(pair, "=")
		if _, ok := os.LookupEnv(name); ok || name == "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	for _, o := range []struct {
		flag string
		key  *string
	}{
		{g.runtime, &c.Engine.Runtime},
		{g.cgroupManager, &c.Engine.CgroupManager},
		{g.events, &c.Engine.EventsLogger},
		{g.tmpDir, &c.Engine.TmpDir},
		{g.volumePath, &c.Engine.VolumePath},
		{g.networkDir, &c.Network.NetworkConfigDir},
	} {
		if o.flag != "" {
			*o.key = o.flag
		}
	}
	if len(g.hooksDirs) > 0 {
		c.Engine.HooksDir.Values = g.hooksDirs
	}
	return c, nil
}

// self is the argument list that starts this program again with the same global flags: the monitor's clean-up and restart
// must work on the same state. fs are the globals.
func self(fs *pflag.FlagSet) ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{exe}
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		if list, ok := f.Value.(cobra.SliceValue); ok {
			for _, v := range list.GetSlice() {
				args = append(args, "--"+f.Name+"="+v)
			}
			return
		}
		args = append(args, "--"+f.Name+"="+f.Value.String())
	})
	return args, nil
}
