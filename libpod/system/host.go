package system

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/libpod/define"
)

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// firstLine is the first line of a file, or "".
func firstLine(path string) string {
	data, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// readMemory is /proc/meminfo in bytes.
func readMemory() map[string]int64 {
	data, _ := os.ReadFile("/proc/meminfo")
	m := map[string]int64{}
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		if f := strings.Fields(rest); len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				m[name] = n << 10
			}
		}
	}
	return m
}

// readCPU is the first line of /proc/stat in percent (proc_stat(5)); nil when it cannot be read.
func readCPU() *define.CPUUsage {
	f := strings.Fields(firstLine("/proc/stat"))
	if len(f) < 5 {
		return nil
	}
	var ticks [4]float64 // user, nice, system, idle
	total := 0.0
	for i := range ticks {
		ticks[i], _ = strconv.ParseFloat(f[i+1], 64)
		total += ticks[i]
	}
	percent := func(n float64) float64 { return math.Round(n/max(total, 1)*1e4) / 1e2 }
	return &define.CPUUsage{UserPercent: percent(ticks[0] + ticks[1]), SystemPercent: percent(ticks[2]), IdlePercent: percent(ticks[3])}
}

// readUptime is how long the machine runs, as podman writes it.
func readUptime() string {
	text, _, _ := strings.Cut(firstLine("/proc/uptime"), " ")
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return ""
	}
	return uptime(time.Duration(seconds) * time.Second)
}

func uptime(d time.Duration) string {
	text := fmt.Sprintf("%dh %dm %.2fs", int(d.Hours()), int(d.Minutes())%60, math.Mod(d.Seconds(), 60))
	if d >= time.Hour {
		text += fmt.Sprintf(" (Approximately %.2f days)", d.Hours()/24)
	}
	return text
}

// readDistribution is os-release(5).
func readDistribution() define.DistributionInfo {
	data, err := os.ReadFile("/etc/os-release")
	if errors.Is(err, os.ErrNotExist) {
		data, _ = os.ReadFile("/usr/lib/os-release")
	}
	d := define.DistributionInfo{Distribution: "unknown", Version: "unknown"}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.Distribution = value
		case "VERSION_ID":
			d.Version = value
		case "VERSION_CODENAME":
			d.Codename = value
		case "VARIANT_ID":
			d.Variant = value
		}
	}
	return d
}

// readMap is /proc/PID/uid_map (user_namespaces(7)).
func readMap(path string) []define.InfoRange {
	data, _ := os.ReadFile(path)
	var list []define.InfoRange
	for line := range strings.Lines(string(data)) {
		var r define.InfoRange
		if n, _ := fmt.Sscan(line, &r.ContainerID, &r.HostID, &r.Size); n == 3 {
			list = append(list, r)
		}
	}
	return list
}

// readCgroups returns the version of cgroups and the controllers that containers can be limited by: those of the whole
// machine for root, else those that were delegated to the user.
func readCgroups(root bool) (version string, controllers []string) {
	const mount = "/sys/fs/cgroup"
	if !fileExists(filepath.Join(mount, "cgroup.controllers")) {
		return "v1", []string{}
	}
	path := mount
	if !root {
		_, own, _ := strings.Cut(firstLine("/proc/self/cgroup"), "::")
		path = filepath.Join(mount, own)
	}
	return "v2", append([]string{}, strings.Fields(firstLine(filepath.Join(path, "cgroup.controllers")))...)
}
