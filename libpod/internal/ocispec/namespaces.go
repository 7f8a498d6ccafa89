package ocispec

import (
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
)

// namespaces gives the container its own of each kind, but for those of the host and those it joins.
func namespaces(in *Input, s *specs.Spec) error {
	o := &in.Config.Options
	add := func(kind specs.LinuxNamespaceType, path string) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
	}
	for _, k := range []struct {
		kind specs.LinuxNamespaceType
		mode string
	}{
		{specs.PIDNamespace, o.PID},
		{specs.NetworkNamespace, in.Config.Network},
		{specs.IPCNamespace, o.IPC},
		{specs.UTSNamespace, o.UTS},
		{specs.CgroupNamespace, o.CgroupNS},
	} {
		path := in.Joined[string(k.kind)]
		if k.kind == specs.NetworkNamespace && path == "" {
			path = in.NetNS
		}
		if k.mode != "host" {
			add(k.kind, path)
		}
	}
	add(specs.MountNamespace, "")
	joined, m := in.Joined["user"], in.Config.IDMap
	if m == nil && joined != "" { // runc wants to see a map where it has none to make
		one := []define.IDRange{{Size: 1}}
		m = &define.IDMap{UIDs: one, GIDs: one}
	}
	if m != nil {
		add(specs.UserNamespace, joined)
		s.Linux.UIDMappings, s.Linux.GIDMappings = idMappings(m.UIDs), idMappings(m.GIDs)
	}
	if o.UTS == "host" {
		s.Hostname = ""
	}
	return nil
}

func idMappings(ranges []define.IDRange) []specs.LinuxIDMapping {
	out := make([]specs.LinuxIDMapping, len(ranges))
	for i, r := range ranges {
		out[i] = specs.LinuxIDMapping{ContainerID: uint32(r.ContainerID), HostID: uint32(r.HostID), Size: uint32(r.Size)}
	}
	return out
}

// ownCgroup is the cgroup v2 path of this process.
func ownCgroup() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path
		}
	}
	return ""
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }
