// Package ctrflags is the flags that run, create and pod create share, one file per group. A group adds its flags to a
// flag set and fills its own fields of define.CreateOptions; it checks no more than the form of what was typed, the engine
// checks the rest.
package ctrflags

import (
	"github.com/spf13/pflag"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
)

// group is one file of this package.
type group interface {
	add(fs *pflag.FlagSet, run bool)
	apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) error
}

// Flags are all flags of a new container.
type Flags struct {
	groups []group
}

// New returns the flags, at their defaults.
func New() *Flags {
	return &Flags{groups: []group{
		new(processFlags), new(environmentFlags), new(lifeFlags), new(mountFlags), new(namespaceFlags),
		new(networkFlags), new(securityFlags), new(logFlags), new(imageFlags),
	}}
}

// Add defines the flags on fs, which stops reading flags at the image; run has some that create has not.
func (f *Flags) Add(fs *pflag.FlagSet, run bool) {
	fs.SetInterspersed(false)
	fs.Bool("help", false, "Help for this command") // -h is --hostname here
	for _, g := range f.groups {
		g.add(fs, run)
	}
}

// Apply returns what the flags ask for; image and command come from args. What no flag says is the configuration's.
func (f *Flags) Apply(fs *pflag.FlagSet, args []string, c *config.Config) (define.CreateOptions, error) {
	o := define.CreateOptions{Image: args[0], Command: args[1:]}
	for _, g := range f.groups {
		if err := g.apply(&o, fs, c); err != nil {
			return o, err
		}
	}
	return o, nil
}
