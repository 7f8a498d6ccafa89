package ocispec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// Device is --device taken apart.
type Device struct{ Host, Inside, Access string }

// ParseDevice reads HOST[:CONTAINER][:rwm] (podman-run(1) --device).
func ParseDevice(text string) (d Device, err error) {
	parts := strings.Split(text, ":")
	d = Device{Host: parts[0], Inside: parts[0], Access: "rwm"}
	switch len(parts) {
	case 1:
	case 2:
		if validAccess(parts[1]) {
			d.Access = parts[1]
		} else {
			d.Inside = parts[1]
		}
	case 3:
		d.Inside, d.Access = parts[1], parts[2]
	default:
		return d, errs.Invalid("device %q is not HOST[:CONTAINER][:rwm]", text)
	}
	if !filepath.IsAbs(d.Host) || !filepath.IsAbs(d.Inside) {
		return d, errs.Invalid("device %q: a path in it is not absolute", text)
	}
	if !validAccess(d.Access) {
		return d, errs.Invalid("device %q: %q is not made of r, w and m", text, d.Access)
	}
	return d, nil
}

func validAccess(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "rwm") == ""
}

// devices gives the container the user's devices: as root by number, rootless by a bind mount, since a user namespace
// cannot make device nodes.
func devices(in *Input, s *specs.Spec) error {
	o := &in.Config.Options
	if o.Privileged && !in.Rootless {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	list := o.Devices
	if o.Privileged {
		all, err := hostDevices("/dev", in.Rootless)
		if err != nil {
			return err
		}
		list = append(all, list...)
	}
	for _, text := range list {
		d, err := ParseDevice(text)
		if err != nil {
			return err
		}
		if err := addDevice(in, s, d); err != nil {
			return err
		}
	}
	return nil
}

func addDevice(in *Input, s *specs.Spec, d Device) error {
	var st unix.Stat_t
	if err := unix.Stat(d.Host, &st); err != nil {
		return errs.Invalid("device %q: %v", d.Host, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return addDeviceFolder(in, s, d)
	case unix.S_IFCHR, unix.S_IFBLK:
	default:
		return errs.Invalid("device %q is not a device", d.Host)
	}
	if in.Rootless {
		options := []string{"bind", "rprivate", "nosuid", "noexec", "rw"}
		if !strings.Contains(d.Access, "w") {
			options[4] = "ro"
		}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: d.Inside, Type: "bind", Source: d.Host, Options: options})
		return nil
	}
	kind := "c"
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "b"
	}
	major, minor := int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	mode := os.FileMode(st.Mode & 0o777)
	s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: d.Inside, Type: kind, Major: major, Minor: minor, FileMode: &mode, UID: &st.Uid, GID: &st.Gid})
	s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: d.Access})
	return nil
}

func addDeviceFolder(in *Input, s *specs.Spec, d Device) error {
	entries, err := os.ReadDir(d.Host)
	if err != nil {
		return fmt.Errorf("device %q: %w", d.Host, err)
	}
	for _, e := range entries {
		if e.Type()&os.ModeDevice == 0 {
			continue
		}
		one := Device{filepath.Join(d.Host, e.Name()), filepath.Join(d.Inside, e.Name()), d.Access}
		if err := addDevice(in, s, one); err != nil {
			return err
		}
	}
	return nil
}

// hostDevices are what --privileged gives: the devices of a folder, /dev, and of those in it, without virtual terminals, what the
// runtime makes and, rootless, what the user may not open.
func hostDevices(dir string, rootless bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if rootless && errors.Is(err, os.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case slices.Contains(runtimeDevices, path):
		case e.IsDir():
			below, err := hostDevices(path, rootless)
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
		case e.Type()&os.ModeDevice == 0, isConsole(path):
		case rootless && unix.Access(path, unix.R_OK|unix.W_OK) != nil:
		default:
			list = append(list, path)
		}
	}
	return list, nil
}

// runtimeDevices are what the runtime makes or hull mounts, or what is of one container alone (runtime-spec "Default Devices").
var runtimeDevices = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
	"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd",
}

// isConsole reports whether a device is one of the machine's virtual terminals, /dev/tty1: a container would take it over. A serial
// line, /dev/ttyUSB0, is none.
func isConsole(path string) bool {
	number, ok := strings.CutPrefix(path, "/dev/tty")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}
