package system

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unknownPackage is podman's word for a program whose package was not found.
const unknownPackage = "Unknown"

// dpkgDir is where Debian's package manager keeps what is installed: a list of paths for each package in info/, and the
// versions in status (dpkg(1), FILES). It is read, since asking dpkg itself takes longer than all else that info does.
const dpkgDir = "/var/lib/dpkg"

// packagesOf names the packages of programs as podman does, NAME_VERSION_ARCHITECTURE, for those that have one.
func packagesOf(dir string, programs []string) map[string]string {
	wanted := map[string]string{} // a path as a list may have it → the program
	for _, path := range programs {
		if !packaged(path) {
			continue
		}
		wanted[path] = path
		wanted[strings.TrimPrefix(path, "/usr")] = path // where /bin is a link to /usr/bin
	}
	owners := map[string]string{} // program → package
	for _, list := range lists(dir, programs) {
		if len(owners)*2 == len(wanted) {
			break
		}
		name := strings.TrimSuffix(filepath.Base(list), ".list")
		data, _ := os.ReadFile(list)
		for line := range strings.Lines(string(data)) {
			if program, ok := wanted[strings.TrimRight(line, "\n")]; ok {
				owners[program] = name
			}
		}
	}
	versions := versionsOf(filepath.Join(dir, "status"), owners)
	out := map[string]string{}
	for program, name := range owners {
		if version := versions[name]; version != "" {
			out[program] = version
		}
	}
	return out
}

// packaged reports whether a path is where packages put programs.
func packaged(path string) bool {
	return !strings.HasPrefix(path, "/usr/local/") && slices.ContainsFunc([]string{"/usr/", "/bin/", "/sbin/", "/lib/"}, func(dir string) bool {
		return strings.HasPrefix(path, dir)
	})
}

// lists are the lists of all packages; first those of packages that are called as the programs are.
func lists(dir string, programs []string) []string {
	all, _ := filepath.Glob(filepath.Join(dir, "info/*.list")) // the pattern is good
	named := func(list string) int {
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		if slices.ContainsFunc(programs, func(p string) bool { return filepath.Base(p) == name }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b string) int { return named(a) - named(b) })
	return all
}

// versionsOf reads the versions of packages; a package of one of several architectures is called NAME:ARCHITECTURE.
func versionsOf(status string, owners map[string]string) map[string]string {
	found := map[string]string{}
	f, err := os.Open(status)
	if err != nil {
		return found
	}
	defer f.Close()
	wanted := map[string]bool{}
	for _, name := range owners {
		wanted[name] = true
	}
	var name, version, arch string
	end := func() {
		for _, called := range []string{name, name + ":" + arch} {
			if wanted[called] && version != "" {
				found[called] = name + "_" + version + "_" + arch
			}
		}
		name, version, arch = "", "", ""
	}
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 64<<10), 16<<20)
	for in.Scan() {
		line := in.Text()
		if line == "" {
			end()
			continue
		}
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "Package":
			name = value
		case "Version":
			version = value
		case "Architecture":
			arch = value
		}
	}
	end()
	return found
}
