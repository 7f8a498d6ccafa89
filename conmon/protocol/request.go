package protocol

import (
	"errors"
	"strconv"
	"strings"
)

// Kinds of what a monitor watches.
const (
	KindContainer = "container"
	KindExec      = "exec"
)

// Modes of starting a container.
const (
	ModeRun    = "run"    // one exec of the runtime creates and starts
	ModeCreate = "create" // the runtime creates; somebody else runs "start"; the monitor notices the exit alone
)

// Log drivers.
const (
	LogK8sFile     = "k8s-file"
	LogJSONFile    = "json-file"
	LogJournald    = "journald"
	LogPassthrough = "passthrough" // the container has the monitor's own stdio
	LogNone        = "none"
)

// Restart policies (podman-run(1), --restart).
const (
	RestartNo            = "no"
	RestartAlways        = "always"
	RestartOnFailure     = "on-failure"
	RestartUnlessStopped = "unless-stopped" // as always; what differs is done at boot by the engine
)

// Request is what the owner sends first. Paths are absolute. The zero value of a field asks for nothing.
type Request struct {
	Kind string // KindContainer or KindExec
	ID   string // of the container, for an exec too: the runtime's name for it
	Name string // of the container, for the log
	Dir  string // runtime folder of this container or exec session

	Runtime     string   // path of crun or runc
	RuntimeArgs []string // its global flags; --log and --log-format are added
	CreateArgs  []string // KindContainer: flags of its "run" and "create"
	Bundle      string   // KindContainer: folder of config.json
	Mode        string   // KindContainer: ModeRun or ModeCreate
	ProcessFile string   // KindExec: path of the process in JSON
	PreserveFDs int64    // how many descriptors from OwnerFD+1 on the container gets as 3…
	Env         []string // environment of runtime and clean-up; the monitor's own has only what tunes it

	Terminal     bool // the process has a pty: stderr goes into stdout
	Width        int64
	Height       int64 // of the pty at the start; 0 leaves the runtime's choice
	Stdin        bool  // stdin stays open for attachers; without it and AttachStdin it is /dev/null
	AttachStdin  bool  // the owner sends stdin; its EOF, or its death, is the container's EOF
	AttachStdout bool
	AttachStderr bool

	LogDriver  string   // "" is LogNone
	LogPath    string   // file drivers; its folder also holds what slow clients have not read yet
	LogMaxSize int64    // bytes after which the file becomes LogPath+".1"; 0: never
	LogTag     string   // CONTAINER_TAG and SYSLOG_IDENTIFIER of journald
	LogLabels  []string // KEY=VALUE: attrs of json-file, fields of journald

	RestartPolicy string // "" is RestartNo
	RestartMax    int64  // restarts in all; 0: no limit
	Timeout       int64  // seconds until the process is killed and its code is TimeoutCode; 0: never

	PIDFile        string // also gets the process' pid
	MonitorPIDFile string // gets the monitor's pid

	NetPIDFile string   // names hull-net, "PID START\n" with field 22 of its /proc/PID/stat; "": the container does not need it
	NetCommand []string // argv that starts hull-net when it has died: stays in the foreground, replaces NetPIDFile when it is ready, ends when there is another

	Cleanup     []string // argv, run when nobody else cleans up after the exit
	OwnerCleans bool     // an owner that is still connected cleans up itself and says Cleaned
	Discard     []string // folders whose content is nobody's: emptied as the last thing, when nobody waits any more
}

// TimeoutCode is the exit code of a process that Timeout ended, as podman has it.
const TimeoutCode = 255

const requestHeader = "hull-conmon-request "

func (r *Request) fields() []field {
	return []field{
		{key: "kind", str: &r.Kind},
		{key: "id", str: &r.ID},
		{key: "name", str: &r.Name},
		{key: "dir", str: &r.Dir},
		{key: "runtime", str: &r.Runtime},
		{key: "runtime-arg", list: &r.RuntimeArgs},
		{key: "create-arg", list: &r.CreateArgs},
		{key: "bundle", str: &r.Bundle},
		{key: "mode", str: &r.Mode},
		{key: "process-file", str: &r.ProcessFile},
		{key: "preserve-fds", num: &r.PreserveFDs},
		{key: "env", list: &r.Env},
		{key: "terminal", flag: &r.Terminal},
		{key: "width", num: &r.Width},
		{key: "height", num: &r.Height},
		{key: "stdin", flag: &r.Stdin},
		{key: "attach-stdin", flag: &r.AttachStdin},
		{key: "attach-stdout", flag: &r.AttachStdout},
		{key: "attach-stderr", flag: &r.AttachStderr},
		{key: "log-driver", str: &r.LogDriver},
		{key: "log-path", str: &r.LogPath},
		{key: "log-max-size", num: &r.LogMaxSize},
		{key: "log-tag", str: &r.LogTag},
		{key: "log-label", list: &r.LogLabels},
		{key: "restart-policy", str: &r.RestartPolicy},
		{key: "restart-max", num: &r.RestartMax},
		{key: "timeout", num: &r.Timeout},
		{key: "pid-file", str: &r.PIDFile},
		{key: "monitor-pid-file", str: &r.MonitorPIDFile},
		{key: "net-pid-file", str: &r.NetPIDFile},
		{key: "net-command", list: &r.NetCommand},
		{key: "cleanup", list: &r.Cleanup},
		{key: "owner-cleans", flag: &r.OwnerCleans},
		{key: "discard", list: &r.Discard},
	}
}

// Encode makes the payload of a Request frame: a line with the version, then "key=value" records, each ended by a NUL
// byte. No argument, path or variable can hold one; a request that does is refused.
func (r *Request) Encode() ([]byte, error) {
	var b strings.Builder
	b.WriteString(requestHeader + strconv.Itoa(Version) + "\x00")
	bad := ""
	appendFields(r.fields(), func(key, value string) {
		if strings.IndexByte(value, 0) >= 0 {
			bad = key
		}
		b.WriteString(key + "=" + value + "\x00")
	})
	if bad != "" {
		return nil, errors.New("monitor request: a NUL byte in " + bad)
	}
	if b.Len() > MaxRequest {
		return nil, errors.New("monitor request: over " + strconv.Itoa(MaxRequest) + " bytes")
	}
	return []byte(b.String()), nil
}

// DecodeRequest reads what Encode made and checks what the monitor relies on.
func DecodeRequest(data []byte) (*Request, error) {
	head, rest, ok := strings.Cut(string(data), "\x00")
	version, named := strings.CutPrefix(head, requestHeader)
	if !ok || !named {
		return nil, errors.New("not a monitor request")
	}
	if version != strconv.Itoa(Version) {
		return nil, errors.New("monitor request of version " + strconv.Quote(version) + ": this hull-conmon speaks " + strconv.Itoa(Version))
	}
	r := new(Request)
	fields := r.fields()
	for rest != "" {
		record, more, ok := strings.Cut(rest, "\x00")
		if !ok {
			return nil, errors.New("monitor request: cut short")
		}
		rest = more
		key, value, err := cutField(record)
		if err == nil {
			err = setField(fields, key, value)
		}
		if err != nil {
			return nil, errors.New("monitor request: " + strconv.Quote(key) + ": " + err.Error())
		}
	}
	return r, r.check()
}

func (r *Request) check() error {
	for _, c := range []struct {
		wrong bool
		what  string
	}{
		{r.Kind != KindContainer && r.Kind != KindExec, "kind " + strconv.Quote(r.Kind)},
		{r.ID == "", "no id"},
		{!strings.HasPrefix(r.Dir, "/"), "dir is not absolute"},
		{!strings.HasPrefix(r.Runtime, "/"), "runtime is not absolute"},
		{r.Kind == KindContainer && r.Mode != ModeRun && r.Mode != ModeCreate, "mode " + strconv.Quote(r.Mode)},
		{r.Kind == KindContainer && r.Bundle == "", "no bundle"},
		{r.Kind == KindExec && r.ProcessFile == "", "no process file"},
		{r.PreserveFDs < 0 || r.PreserveFDs > 1<<16, "preserve-fds out of range"},
		{r.LogMaxSize < 0 || r.Timeout < 0 || r.RestartMax < 0, "a negative limit"},
		{r.NetPIDFile != "" && (!strings.HasPrefix(r.NetPIDFile, "/") || len(r.NetCommand) == 0), "net-pid-file is not absolute, or no net-command"},
		{(r.LogDriver == LogK8sFile || r.LogDriver == LogJSONFile) && r.LogPath == "", "no log path"},
	} {
		if c.wrong {
			return errors.New("monitor request: " + c.what)
		}
	}
	switch r.RestartPolicy {
	case "", RestartNo, RestartAlways, RestartOnFailure, RestartUnlessStopped:
	default:
		return errors.New("monitor request: restart policy " + strconv.Quote(r.RestartPolicy))
	}
	return nil
}
