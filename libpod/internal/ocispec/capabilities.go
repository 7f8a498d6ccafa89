package ocispec

import (
	"slices"
	"strings"
	"sync"

	"github.com/moby/sys/capability"
	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/pkg/errs"
)

// knownCapabilities are the kernel's, "CAP_" in front, in order of name; read only.
var knownCapabilities = sync.OnceValue(func() []string {
	var all []string
	for _, c := range capability.ListKnown() {
		all = append(all, "CAP_"+strings.ToUpper(c.String()))
	}
	slices.Sort(all)
	return all
})

// NormalizeCapability returns NAME as CAP_NAME; ALL stays.
func NormalizeCapability(name string) (string, error) {
	upper := strings.ToUpper(name)
	if upper == "ALL" {
		return upper, nil
	}
	if !strings.HasPrefix(upper, "CAP_") {
		upper = "CAP_" + upper
	}
	if known := knownCapabilities(); !slices.Contains(known, upper) {
		return "", errs.Invalid("there is no capability %q%s", name, errs.DidYouMean(upper, known))
	}
	return upper, nil
}

// Capabilities returns what base, --cap-add and --cap-drop come to, sorted: ALL stands for every one, and a name on
// both sides is an error, as in podman.
func Capabilities(base, add, drop []string) ([]string, error) {
	adds, addAll, err := normalizeAll(add)
	if err != nil {
		return nil, err
	}
	drops, dropAll, err := normalizeAll(drop)
	if err != nil {
		return nil, err
	}
	if addAll && dropAll {
		return nil, errs.Invalid("--cap-add and --cap-drop cannot both be ALL")
	}
	for _, c := range adds {
		if slices.Contains(drops, c) {
			return nil, errs.Invalid("capability %q cannot be dropped and added", c)
		}
	}
	set := slices.Clone(base)
	switch {
	case addAll:
		set = boundable()
	case dropAll:
		set = nil
	}
	for i, c := range set {
		if set[i], err = NormalizeCapability(c); err != nil {
			return nil, err
		}
	}
	set = append(set, adds...)
	set = slices.DeleteFunc(set, func(c string) bool { return slices.Contains(drops, c) })
	slices.Sort(set)
	return slices.Compact(set), nil
}

func normalizeAll(names []string) (list []string, all bool, err error) {
	for _, name := range names {
		c, err := NormalizeCapability(name)
		if err != nil {
			return nil, false, err
		}
		if c == "ALL" {
			all = true
			continue
		}
		list = append(list, c)
	}
	return list, all, nil
}

// boundable are the capabilities that this process can hand on.
func boundable() []string {
	own, err := capability.NewPid2(0)
	if err != nil || own.Load() != nil {
		return slices.Clone(knownCapabilities())
	}
	var all []string
	for _, c := range capability.ListKnown() {
		if own.Get(capability.BOUNDING, c) {
			all = append(all, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	slices.Sort(all)
	return all
}

// capabilities sets those of the process. A user who is not root gets only what --cap-add names as effective.
func capabilities(in *Input, s *specs.Spec) error {
	o := &in.Config.Options
	base := in.Capabilities
	if o.Privileged {
		base = boundable()
	}
	set, err := Capabilities(base, o.CapAdd, o.CapDrop)
	if err != nil {
		return err
	}
	caps := &specs.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}
	if s.Process.User.UID != 0 && !o.Privileged {
		added, err := Capabilities(nil, o.CapAdd, o.CapDrop)
		if err != nil {
			return err
		}
		caps = &specs.LinuxCapabilities{Bounding: set, Effective: added, Permitted: added, Inheritable: added, Ambient: added}
	}
	s.Process.Capabilities = caps
	return nil
}

// ExecCapabilities gives the process of an exec what its user may have: all with privileged, none in effect for a user
// who is not root and was named by the exec.
func ExecCapabilities(p *specs.Process, privileged, named bool) error {
	if privileged {
		all := boundable()
		p.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
		return nil
	}
	if !named || p.Capabilities == nil {
		return nil
	}
	bounding := p.Capabilities.Bounding
	p.Capabilities = &specs.LinuxCapabilities{Bounding: bounding}
	if p.User.UID == 0 {
		p.Capabilities.Effective, p.Capabilities.Permitted = bounding, bounding
	}
	return nil
}
