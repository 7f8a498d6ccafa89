// Package define holds what the engine's callers and services say to each other: options, reports, states. Data only,
// stable as JSON: the same types are rows of the state and bodies of the native REST API.
package define

import "time"

// Status is the state of a container as podman-ps(1) and podman-inspect(1) print it.
type Status string

// The states. A container is Created until its first start, Initialized when the runtime has made it but its process
// has not run, Stopped between the end of its process and the clean-up, then Exited.
const (
	StatusCreated     Status = "created"
	StatusInitialized Status = "initialized"
	StatusRunning     Status = "running"
	StatusPaused      Status = "paused"
	StatusStopping    Status = "stopping"
	StatusStopped     Status = "stopped"
	StatusExited      Status = "exited"
	StatusRemoving    Status = "removing"
	StatusRestarting  Status = "restarting"
	StatusUnknown     Status = "unknown"
	StatusStorage     Status = "storage" // another tool's, of which only the record in the store is known
)

// Alive reports whether the container has a process or will have one without a command of the user.
func (s Status) Alive() bool {
	switch s {
	case StatusRunning, StatusPaused, StatusStopping, StatusInitialized, StatusRestarting:
		return true
	default:
		return false
	}
}

// ContainerConfig is what a container is made from. It is written once at create; only Name changes later, by rename.
type ContainerConfig struct {
	ContainerBrief
	Options CreateOptions `json:"options"`

	ImageDigest  string `json:"imageDigest,omitempty"` // manifest digest
	LayerID      string `json:"layerID,omitempty"`     // the writable layer in go.podman.io/storage
	MountLabel   string `json:"mountLabel,omitempty"`
	ProcessLabel string `json:"processLabel,omitempty"`

	// What options and image come to together.
	Entrypoint []string `json:"entrypoint,omitempty"` // the first part of Command
	Env        []string `json:"env"`
	Workdir    string   `json:"workdir"`
	User       string   `json:"user,omitempty"` // as given or in the image, looked up at start
	StopSignal int      `json:"stopSignal"`
	Hostname   string   `json:"hostname"`
	IDMap      *IDMap   `json:"idMap,omitempty"` // nil: the user namespace of the engine
	Expose     []string `json:"expose,omitempty"`
}

// ContainerBrief is the part of a config that lists show and filters ask for. It is kept apart from the rest too, so that
// a list need not read whole configs: a field that comes here or goes is a migration of the state.
type ContainerBrief struct {
	ID      string    `json:"id,omitempty"` // 64 hexadecimal digits
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created,omitzero"`

	ImageID   string `json:"imageID,omitempty"`   // "" with Rootfs
	ImageName string `json:"imageName,omitempty"` // normalized name, or the id when the image has none

	Command     []string          `json:"command,omitempty"`     // argv of the main process: entrypoint and command
	CommandOnly []string          `json:"commandOnly,omitempty"` // its second part
	Labels      map[string]string `json:"labels,omitempty"`
	Volumes     []NamedVolume     `json:"volumes,omitempty"` // named and anonymous ones, sources resolved
	Ports       []PortMapping     `json:"ports,omitempty"`
	Network     string            `json:"network"`         // the mode after defaults: bridge, none, host, pasta, slirp4netns, container:ID, ns:PATH
	Joins       []Join            `json:"joins,omitempty"` // with bridge
}

// ListedConfig is what a list knows of a container's config. Its JSON is that of the ContainerConfig with fields left out.
type ListedConfig struct {
	ContainerBrief
	Options OptionsBrief `json:"options,omitzero"`
}

// Listed is what lists know of the config.
func (c *ContainerConfig) Listed() ListedConfig {
	return ListedConfig{ContainerBrief: c.ContainerBrief, Options: c.Options.OptionsBrief}
}

// NamedVolume is a volume of the engine's in a container.
type NamedVolume struct {
	Name      string   `json:"name"`
	Dest      string   `json:"dest"`
	Options   []string `json:"options,omitempty"`
	Anonymous bool     `json:"anonymous,omitempty"` // made for this container alone, goes with rm -v
}

// Volume is a named volume: a folder under the graph root that outlives containers.
type Volume struct {
	Name       string            `json:"Name"`
	Driver     string            `json:"Driver"` // "local"
	Mountpoint string            `json:"Mountpoint"`
	CreatedAt  time.Time         `json:"CreatedAt"`
	Labels     map[string]string `json:"Labels"`
	Options    map[string]string `json:"Options"`
	Anonymous  bool              `json:"Anonymous,omitempty"`
}

// IDMap maps the ids of a container's own user namespace to those of the engine's.
type IDMap struct {
	UIDs []IDRange `json:"uids"`
	GIDs []IDRange `json:"gids"`
	Keep bool      `json:"keep,omitempty"` // keep-id: the user's own id is the same inside
}

// IDRange is one line of /proc/PID/uid_map (user_namespaces(7)).
type IDRange struct {
	ContainerID int `json:"containerID"`
	HostID      int `json:"hostID"`
	Size        int `json:"size"`
}

// Join is a container on a named network, as it was asked for.
type Join struct {
	Network       string   `json:"network"` // its name
	NetworkID     string   `json:"networkID"`
	IPs           []string `json:"ips,omitempty"`           // at most one in each subnet
	MAC           string   `json:"mac,omitempty"`           // "": one is made
	Aliases       []string `json:"aliases,omitempty"`       // names besides the container's
	Interface     string   `json:"interface,omitempty"`     // inside; "": eth0 and so on
	HostInterface string   `json:"hostInterface,omitempty"` // on the bridge
}

// Joined is a container on a named network, as it came to be.
type Joined struct {
	Network   string
	NetworkID string
	Interface string
	MAC       string
	Addresses []string // each with the length of its subnet
	Gateways  []string
	Aliases   []string
}

// PortMapping is one published port or range of them.
type PortMapping struct {
	HostIP        string `json:"host_ip"`
	ContainerPort uint16 `json:"container_port"`
	HostPort      uint16 `json:"host_port"`
	Range         uint16 `json:"range"`
	Protocol      string `json:"protocol"` // tcp, udp, sctp
}

// Exit is how a container's main process ended.
type Exit struct {
	Code     int       `json:"code,omitempty"`
	At       time.Time `json:"at,omitzero"`
	OOM      bool      `json:"oom,omitempty"`
	Restarts int       `json:"restarts,omitempty"`
	Error    string    `json:"error,omitempty"` // why a start failed, when it did
}

// Container is what is known of a container at one moment.
type Container struct {
	Config ContainerConfig
	ContainerState
	Dir       string // runtime directory of the container
	StaticDir string // durable directory of the container
}

// ListedContainer is what a list knows of a container at one moment.
type ListedContainer struct {
	Config ListedConfig
	ContainerState
}

// ContainerState is what changes while a container exists.
type ContainerState struct {
	Status   Status
	Intent   string    // what a process has begun and not finished: "", create, start, stop, rm, rename, cleanup
	PID      int       // of the main process, in the initial pid namespace; 0 when there is none
	Monitor  int       // pid of hull-conmon, or 0
	Started  time.Time // zero: never
	Exit     Exit      // of the last run; Exit.At is zero when there was none
	Restarts int
	Mount    string   // where the root file system is mounted, or ""
	NetNS    string   // path of the network namespace, or ""
	IPs      []string // addresses inside the container
	Networks []Joined // named networks that a running container is on
	Execs    []string // ids of live exec sessions
}

// Running reports whether there is a process or will be one without a command of the user.
func (c *ContainerState) Running() bool { return c.Status.Alive() }
