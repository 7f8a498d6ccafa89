package registry

import (
	"encoding/json"
	"path"
	"strconv"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// instructions are what --change takes (podman-import(1)); OCI images have no place for ONBUILD, which podman takes and
// loses.
var instructions = []string{"CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}

// changed makes a config of Containerfile instructions, applied in order.
func changed(changes []string) (v1.ImageConfig, error) {
	var c v1.ImageConfig
	for _, change := range changes {
		key, value, ok := strings.Cut(change, " ")
		if !ok {
			if key, value, ok = strings.Cut(change, "="); !ok {
				return c, errs.Invalid("invalid change %q - must be formatted as KEY VALUE", change)
			}
		}
		key, value = strings.ToUpper(strings.TrimSpace(key)), strings.TrimSpace(value)
		if value == "" {
			return c, errs.Invalid("invalid change %q - must provide a value to %s", change, key)
		}
		if why := apply(&c, key, value); why != "" {
			return c, errs.Invalid("invalid change %q - %s", change, why)
		}
	}
	return c, nil
}

// apply does one instruction and returns what is wrong with it, or "".
func apply(c *v1.ImageConfig, key, value string) string {
	switch key {
	case "CMD":
		c.Cmd = argv(value)
	case "ENTRYPOINT":
		c.Entrypoint = argv(value)
	case "ENV":
		name, text := pair(value)
		if name == "" {
			return "ENV must have at least one argument"
		}
		c.Env = append(c.Env, name+"="+text)
	case "LABEL":
		name, text := pair(value)
		if name == "" {
			return "LABEL must have at least one argument"
		}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[name] = text
	case "EXPOSE":
		return expose(c, value)
	case "STOPSIGNAL":
		n := signal(value)
		if n <= 0 {
			return "STOPSIGNAL must be given a valid signal"
		}
		c.StopSignal = strconv.Itoa(n)
	case "USER":
		c.User = value
	case "VOLUME":
		return volume(c, value)
	case "WORKDIR":
		if !path.IsAbs(value) { // each is relative to the one before
			value = path.Join("/", c.WorkingDir, value)
		}
		c.WorkingDir = path.Clean(value)
	default:
		return "invalid instruction " + key + errs.DidYouMean(key, instructions)
	}
	return ""
}

// argv is the exec form when value is a JSON list, else the shell form.
func argv(value string) []string {
	var list []string
	if json.Unmarshal([]byte(value), &list) == nil {
		return list
	}
	return []string{"/bin/sh", "-c", value}
}

// pair splits KEY=VALUE; either may be in double quotes.
func pair(value string) (string, string) {
	name, text, _ := strings.Cut(value, "=")
	return unquoted(name), unquoted(text)
}

func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func expose(c *v1.ImageConfig, value string) string {
	port, protocol, given := strings.Cut(value, "/")
	if !given {
		protocol = "tcp"
	}
	protocol = strings.ToLower(protocol)
	n, err := strconv.Atoi(port)
	switch {
	case err != nil:
		return "EXPOSE port must be an integer"
	case n <= 0 || n > 65535:
		return "EXPOSE port must be a valid port number"
	case protocol != "tcp" && protocol != "udp" && protocol != "sctp":
		return "EXPOSE protocol must be tcp, udp or sctp"
	}
	if c.ExposedPorts == nil {
		c.ExposedPorts = map[string]struct{}{}
	}
	c.ExposedPorts[strconv.Itoa(n)+"/"+protocol] = struct{}{}
	return ""
}

func volume(c *v1.ImageConfig, value string) string {
	var list []string
	if json.Unmarshal([]byte(value), &list) != nil {
		list = strings.Fields(value)
	}
	if c.Volumes == nil {
		c.Volumes = map[string]struct{}{}
	}
	for _, v := range list {
		if v == "" {
			return "VOLUME paths must not be empty"
		}
		c.Volumes[v] = struct{}{}
	}
	return ""
}

// signal is the number of a signal by number or name, with or without SIG; 0 when there is none.
func signal(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n <= 64 {
		return n
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return int(unix.SignalNum(name))
}
