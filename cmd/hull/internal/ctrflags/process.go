package ctrflags

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// processFlags are what the main process is and as whom it runs.
type processFlags struct {
	entrypoint, user, workdir, hostname, umask, tz, passwdEntry, groupEntry string
	groupAdd, labels, labelFiles, annotations, hostUsers                    []string
	tty, interactive, init, passwd                                          bool
	initPath                                                                string
	preserveFDs                                                             uint
	preserveFD                                                              []uint
}

func (g *processFlags) add(fs *pflag.FlagSet, run bool) {
	fs.StringVar(&g.entrypoint, "entrypoint", "", "Overwrite the default ENTRYPOINT of the image (a word, or a JSON list)")
	fs.StringVarP(&g.user, "user", "u", "", "Username or UID, with an optional group (format: <name|uid>[:<group|gid>])")
	fs.StringVarP(&g.workdir, "workdir", "w", "", "Working directory inside the container")
	fs.StringVarP(&g.hostname, "hostname", "h", "", "Set container hostname")
	fs.StringVar(&g.umask, "umask", "0022", "Set umask in container")
	fs.StringVar(&g.tz, "tz", "", "Set timezone in container")
	fs.StringVar(&g.passwdEntry, "passwd-entry", "", "Entry to write to /etc/passwd")
	fs.StringVar(&g.groupEntry, "group-entry", "", "Entry to write to /etc/group")
	lists.CommaVar(fs, &g.hostUsers, "hostuser", "", "Host user account to add to /etc/passwd within container")
	lists.CommaVar(fs, &g.groupAdd, "group-add", "", "Add additional groups to the primary container process; 'keep-groups' keeps those of the user")
	lists.Var(fs, &g.labels, "label", "l", "Set metadata on container")
	lists.Var(fs, &g.labelFiles, "label-file", "", "Read in a line delimited file of labels")
	lists.Var(fs, &g.annotations, "annotation", "", "Add annotations to container (key=value)")
	fs.BoolVarP(&g.tty, "tty", "t", false, "Allocate a pseudo-TTY for container")
	fs.BoolVarP(&g.interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	fs.BoolVar(&g.init, "init", false, "Run an init binary inside the container that forwards signals and reaps processes")
	fs.StringVar(&g.initPath, "init-path", "", "Path to the container-init binary")
	if run {
		fs.BoolVar(&g.passwd, "passwd", true, "Add entries to /etc/passwd and /etc/group")
		fs.UintVar(&g.preserveFDs, "preserve-fds", 0, "Pass a number of additional file descriptors into the container")
		fs.UintSliceVar(&g.preserveFD, "preserve-fd", nil, "Pass a list of additional file descriptors into the container")
	}
}

func (g *processFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) (err error) {
	if fs.Changed("entrypoint") {
		words, err := Entrypoint(g.entrypoint)
		if err != nil {
			return err
		}
		o.Entrypoint = &words
	}
	o.User, o.Workdir, o.Hostname, o.GroupAdd = g.user, g.workdir, g.hostname, g.groupAdd
	o.Umask, o.TZ = g.umask, g.tz
	if !fs.Changed("umask") && c.Containers.Umask != "" {
		o.Umask = c.Containers.Umask
	}
	if err := checkUmask(o.Umask); err != nil {
		return err
	}
	if o.TZ == "" {
		o.TZ = c.Containers.TZ
	}
	o.PasswdEntry, o.GroupEntry, o.HostUsers = g.passwdEntry, g.groupEntry, g.hostUsers
	o.Passwd = g.passwd || fs.Lookup("passwd") == nil
	o.TTY, o.Interactive = g.tty, g.interactive
	o.Init, o.InitPath = g.init || c.Containers.Init, g.initPath
	if o.PreserveFDs, err = PreserveFDs(g.preserveFDs, g.preserveFD); err != nil {
		return err
	}
	for i := range o.PreserveFDs {
		if o.PreserveFDs[i] < 3 {
			return errs.Invalid("--preserve-fd %d: 0, 1 and 2 are the container's own streams", o.PreserveFDs[i])
		}
	}
	if o.Labels, err = Pairs("--label", g.labels); err != nil {
		return err
	}
	for _, path := range g.labelFiles {
		lines, err := readLines(path)
		if err != nil {
			return fmt.Errorf("--label-file: %w", err)
		}
		more, err := Pairs("--label-file", lines)
		if err != nil {
			return err
		}
		for k, v := range more {
			if _, ok := o.Labels[k]; !ok {
				o.Labels[k] = v
			}
		}
	}
	o.Annotations, err = valuedPairs("--annotation", append(append([]string(nil), c.Containers.Annotations.Values...), g.annotations...))
	return err
}

func checkUmask(text string) error {
	if n, err := strconv.ParseUint(text, 8, 32); text != "" && (err != nil || n > 0o777 || len(text) > 4) {
		return errs.Invalid("--umask %q is not octal, 0000 to 0777", text)
	}
	return nil
}

// Entrypoint reads a JSON list of words, or takes the text as one word; "" is no entrypoint.
func Entrypoint(text string) ([]string, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		var words []string
		if err := json.Unmarshal([]byte(text), &words); err != nil {
			return nil, errs.Invalid("--entrypoint %q is not a JSON list of strings: %v", text, err)
		}
		return words, nil
	}
	if text == "" {
		return []string{}, nil
	}
	return []string{text}, nil
}

// PreserveFDs are the descriptors that --preserve-fds N (3 to N+2) and --preserve-fd LIST name; they are open.
func PreserveFDs(count uint, list []uint) ([]uint, error) {
	if count > 0 && len(list) > 0 {
		return nil, errs.Invalid("--preserve-fds and --preserve-fd cannot be used together")
	}
	if count > 1024 {
		return nil, errs.Invalid("--preserve-fds %d is more than a process can hold open", count)
	}
	for i := range count {
		list = append(list, 3+i)
	}
	for _, fd := range list {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil {
			return nil, errs.Invalid("file descriptor %d is not open", fd)
		}
	}
	return list, nil
}

// Pairs reads KEY=VALUE or KEY.
func Pairs(flag string, list []string) (map[string]string, error) {
	pairs := make(map[string]string, len(list))
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		if key == "" {
			return nil, errs.Invalid("%s %q: the name before = is empty", flag, text)
		}
		pairs[key] = value
	}
	return pairs, nil
}

// valuedPairs reads KEY=VALUE.
func valuedPairs(flag string, list []string) (map[string]string, error) {
	for _, text := range list {
		if !strings.Contains(text, "=") {
			return nil, errs.Invalid("%s %q is not NAME=VALUE", flag, text)
		}
	}
	return Pairs(flag, list)
}

// readLines returns the lines of a file that are neither empty nor comments.
func readLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(strings.TrimLeft(line, " \t"), "\r\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
