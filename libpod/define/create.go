package define

import (
	"strings"
	"time"
)

// OptionsBrief is the part of the options that lists show and filters ask for; see ContainerBrief.
type OptionsBrief struct {
	Restart string  `json:"restart,omitempty"` // no, always, on-failure, unless-stopped; "" is no
	Remove  bool    `json:"remove,omitempty"`  // --rm
	Mounts  []Mount `json:"mounts,omitempty"`
}

// CreateOptions is what a user asks of a new container (podman-create(1)). The zero value of a field asks for nothing:
// the image's or the configuration's default holds.
type CreateOptions struct {
	OptionsBrief

	Image         string            `json:"image"` // reference, id, or path with Rootfs
	Rootfs        bool              `json:"rootfs,omitempty"`
	RootfsOverlay bool              `json:"rootfsOverlay,omitempty"` // what is written to it is gone with the end of the run
	Name          string            `json:"name,omitempty"`
	Replace       bool              `json:"replace,omitempty"`
	Command       []string          `json:"command,omitempty"`    // nil: the image's
	Entrypoint    *[]string         `json:"entrypoint,omitempty"` // nil: the image's; empty: none
	Env           []string          `json:"env,omitempty"`        // KEY=VALUE, over the image's
	EnvMerge      []string          `json:"envMerge,omitempty"`   // NAME=VALUE; ${NAME} stands for what the image and the configuration have
	UnsetEnv      []string          `json:"unsetEnv,omitempty"`
	UnsetEnvAll   bool              `json:"unsetEnvAll,omitempty"`
	User          string            `json:"user,omitempty"`
	GroupAdd      []string          `json:"groupAdd,omitempty"` // names, ids, or keep-groups
	Workdir       string            `json:"workdir,omitempty"`
	Hostname      string            `json:"hostname,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
	TTY           bool              `json:"tty,omitempty"`
	Interactive   bool              `json:"interactive,omitempty"`
	Init          bool              `json:"init,omitempty"`
	InitPath      string            `json:"initPath,omitempty"`
	StopSignal    string            `json:"stopSignal,omitempty"`
	StopTimeout   uint              `json:"stopTimeout"`              // seconds between the stop signal and SIGKILL
	Timeout       uint              `json:"timeout,omitempty"`        // seconds until the container is killed; 0: never
	RestartMax    uint              `json:"restartMax,omitempty"`     // for on-failure; 0: no limit
	RemoveImage   bool              `json:"removeImage,omitempty"`    // --rmi
	Umask         string            `json:"umask,omitempty"`          // octal
	TZ            string            `json:"tz,omitempty"`             // IANA name or "local"
	Personality   string            `json:"personality,omitempty"`    // LINUX or LINUX32
	PIDFile       string            `json:"pidFile,omitempty"`        // absolute
	MonitorPID    string            `json:"monitorPIDFile,omitempty"` // absolute, --conmon-pidfile
	CIDFile       string            `json:"cidFile,omitempty"`
	CreateCommand []string          `json:"createCommand,omitempty"`
	Pull          string            `json:"pull,omitempty"` // always, missing, never, newer
	Quiet         bool              `json:"-"`              // nothing is told while an image is fetched
	DetachKeys    string            `json:"detachKeys,omitempty"`
	PreserveFDs   []uint            `json:"preserveFDs,omitempty"`
	Passwd        bool              `json:"passwd"` // add the user to /etc/passwd and /etc/group when the image has none
	PasswdEntry   string            `json:"passwdEntry,omitempty"`
	HostUsers     []string          `json:"hostUsers,omitempty"` // names or ids of users of the host that /etc/passwd gets
	GroupEntry    string            `json:"groupEntry,omitempty"`

	// Root file system and mounts.
	ReadOnly      bool     `json:"readOnly,omitempty"`
	ReadOnlyTmpfs bool     `json:"readOnlyTmpfs,omitempty"`
	ShmSize       int64    `json:"shmSize,omitempty"`     // bytes
	ImageVolume   string   `json:"imageVolume,omitempty"` // anonymous, tmpfs, ignore; "" is anonymous
	VolumesFrom   []string `json:"volumesFrom,omitempty"` // container references with options after a colon
	Devices       []string `json:"devices,omitempty"`     // HOST[:CONTAINER][:rwm]

	// Namespaces: "" is the default, else private, host, container:REF, ns:PATH and what each kind has besides.
	IPC          string   `json:"ipc,omitempty"`
	PID          string   `json:"pid,omitempty"`
	UTS          string   `json:"uts,omitempty"`
	CgroupNS     string   `json:"cgroupns,omitempty"`
	UserNS       string   `json:"userns,omitempty"`
	UIDMap       []string `json:"uidMap,omitempty"` // CONTAINER:HOST[:SIZE]
	GIDMap       []string `json:"gidMap,omitempty"`
	SubUIDName   string   `json:"subUIDName,omitempty"`
	SubGIDName   string   `json:"subGIDName,omitempty"`
	Cgroups      string   `json:"cgroups,omitempty"` // enabled, disabled
	CgroupParent string   `json:"cgroupParent,omitempty"`
	Network      []string `json:"network,omitempty"` // modes, or NAME[:OPTION=VALUE,...]
	// The rest of what is asked of the only network.
	IPs            []string  `json:"ips,omitempty"`
	MAC            string    `json:"mac,omitempty"`
	NetworkAliases []string  `json:"networkAliases,omitempty"`
	Publish        []string  `json:"publish,omitempty"`
	PublishAll     bool      `json:"publishAll,omitempty"`
	Expose         []string  `json:"expose,omitempty"`
	DNS            *[]string `json:"dns,omitempty"` // nil: the host's; ["none"]: leave /etc/resolv.conf alone
	DNSSearch      []string  `json:"dnsSearch,omitempty"`
	DNSOptions     []string  `json:"dnsOptions,omitempty"`
	AddHosts       []string  `json:"addHosts,omitempty"` // NAME:IP
	NoHosts        bool      `json:"noHosts,omitempty"`
	HostsFile      string    `json:"hostsFile,omitempty"` // "", image, none or a path
	NoHostname     bool      `json:"noHostname,omitempty"`
	HTTPProxy      bool      `json:"httpProxy,omitempty"`

	// Security.
	Privileged   bool              `json:"privileged,omitempty"`
	CapAdd       []string          `json:"capAdd,omitempty"`
	CapDrop      []string          `json:"capDrop,omitempty"`
	SecurityOpts []string          `json:"securityOpts,omitempty"`
	Sysctl       map[string]string `json:"sysctl,omitempty"`
	Ulimits      []string          `json:"ulimits,omitempty"` // NAME=SOFT[:HARD] or host
	OOMScoreAdj  *int              `json:"oomScoreAdj,omitempty"`

	// Log.
	LogDriver  string            `json:"logDriver,omitempty"` // k8s-file, json-file, journald, passthrough, none
	LogOptions map[string]string `json:"logOptions,omitempty"`
	Runtime    string            `json:"runtime,omitempty"` // name in containers.conf, or a path
}

// Mount is one of -v, --mount and --tmpfs.
type Mount struct {
	Type    string   `json:"type"`             // bind, volume, tmpfs, devpts
	Source  string   `json:"source,omitempty"` // host path, or volume name; "" with type volume is an anonymous one
	Dest    string   `json:"dest"`
	Options []string `json:"options,omitempty"`
}

// IDMapped reports whether an option of a mount asks for an idmapped one: idmap, or idmap= with maps of its own.
func IDMapped(option string) bool { return option == "idmap" || strings.HasPrefix(option, "idmap=") }

// ExecOptions is a process to run in a running container (podman-exec(1)).
type ExecOptions struct {
	Command     []string `json:"command"`
	Env         []string `json:"env,omitempty"`
	User        string   `json:"user,omitempty"`
	Workdir     string   `json:"workdir,omitempty"`
	TTY         bool     `json:"tty,omitempty"`
	Interactive bool     `json:"interactive,omitempty"`
	Privileged  bool     `json:"privileged,omitempty"`
	DetachKeys  string   `json:"detachKeys,omitempty"`
	PreserveFDs []uint   `json:"preserveFDs,omitempty"`
	// NoSession leaves the process out of the state: inspect and other commands do not know of it. If hull and the monitor
	// both die, its folder stays until the container ends.
	NoSession bool `json:"noSession,omitempty"`
}

// ExecSession is a process that exec started.
type ExecSession struct {
	ID          string      `json:"id"`
	ContainerID string      `json:"containerID"`
	Created     time.Time   `json:"created"`
	Options     ExecOptions `json:"options"`
}

// StopOptions is how containers are stopped (podman-stop(1)).
type StopOptions struct {
	Timeout *uint `json:"timeout,omitempty"` // seconds until SIGKILL; nil: the container's own; 0: kill at once
	Ignore  bool  `json:"ignore,omitempty"`  // a missing container is not an error
}

// RemoveOptions is how containers are removed (podman-rm(1)).
type RemoveOptions struct {
	Force   bool  `json:"force,omitempty"` // stop it first
	Ignore  bool  `json:"ignore,omitempty"`
	Volumes bool  `json:"volumes,omitempty"` // its anonymous volumes too
	Depend  bool  `json:"depend,omitempty"`  // the containers that share its namespaces too
	Timeout *uint `json:"timeout,omitempty"`

	Gone func(id string) `json:"-"` // is told of each that Depend removes; nil: nobody asks
}

// CleanupOptions is what goes with the clean-up after a container's end (podman-container-cleanup(1)).
type CleanupOptions struct {
	Remove      bool `json:"remove,omitempty"`      // the container
	RemoveImage bool `json:"removeImage,omitempty"` // the image's name, and the image with its last one
}
