package define

import "time"

// ContainerInspect is a container as podman-container-inspect(1) prints it; the names of the fields are podman's.
type ContainerInspect struct {
	ID              string `json:"Id"`
	Created         time.Time
	Path            string
	Args            []string
	State           InspectState
	Image           string
	ImageDigest     string
	ImageName       string
	Rootfs          string
	Pod             string
	ResolvConfPath  string
	HostnamePath    string
	HostsPath       string
	StaticDir       string
	OCIConfigPath   string `json:",omitempty"`
	OCIRuntime      string
	ConmonPidFile   string
	PidFile         string
	Name            string
	RestartCount    int
	Driver          string
	MountLabel      string
	ProcessLabel    string
	AppArmorProfile string
	EffectiveCaps   []string
	BoundingCaps    []string
	ExecIDs         []string
	GraphDriver     InspectDriver
	SizeRw          *int64 `json:",omitempty"`
	SizeRootFs      *int64 `json:",omitempty"`
	Mounts          []InspectMount
	Dependencies    []string
	NetworkSettings InspectNetwork
	Namespace       string
	IsInfra         bool
	IsService       bool
	LockNumber      int `json:"lockNumber"` // hull has no numbered locks: 0
	Config          InspectConfig
	HostConfig      InspectHostConfig
}

// InspectState is the state of a container.
type InspectState struct {
	OciVersion string
	Status     string
	Running    bool
	Paused     bool
	Restarting bool
	OOMKilled  bool
	Dead       bool
	Pid        int
	ConmonPid  int
	ExitCode   int
	Error      string
	StartedAt  time.Time
	FinishedAt time.Time
	Health     struct {
		Status        string
		FailingStreak int
		Log           []string
	}
	CgroupPath     string `json:",omitempty"`
	CheckpointedAt time.Time
	RestoredAt     time.Time
}

// InspectDriver is the storage driver's part.
type InspectDriver struct {
	Name string
	Data map[string]string
}

// InspectMount is a volume or bind mount.
type InspectMount struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Driver      string
	Mode        string
	Options     []string
	RW          bool
	Propagation string
}

// InspectPort is a place on the host that leads to a port.
type InspectPort struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// InspectNetwork is how the container is reached.
type InspectNetwork struct {
	EndpointID             string
	Gateway                string
	IPAddress              string
	IPPrefixLen            int
	IPv6Gateway            string
	GlobalIPv6Address      string
	GlobalIPv6PrefixLen    int
	MacAddress             string
	Bridge                 string
	SandboxID              string
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	Ports                  map[string][]InspectPort
	SandboxKey             string
	Networks               map[string]*InspectEndpoint `json:",omitempty"` // by name
}

// InspectEndpoint is the container on one network.
type InspectEndpoint struct {
	EndpointID          string
	Gateway             string
	IPAddress           string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
	MacAddress          string
	NetworkID           string // its name, as podman has it
	DriverOpts          map[string]string
	IPAMConfig          map[string]string
	Links               []string
	Aliases             []string `json:",omitempty"`
}

// InspectConfig is what runs in the container.
type InspectConfig struct {
	Hostname                   string
	Domainname                 string
	User                       string
	AttachStdin                bool
	AttachStdout               bool
	AttachStderr               bool
	Tty                        bool
	OpenStdin                  bool
	StdinOnce                  bool
	Env                        []string
	Cmd                        []string
	Image                      string
	Volumes                    map[string]struct{}
	WorkingDir                 string
	Entrypoint                 string
	OnBuild                    *string
	Labels                     map[string]string
	Annotations                map[string]string
	StopSignal                 int
	HealthcheckOnFailureAction string
	CreateCommand              []string
	Timezone                   string `json:",omitempty"`
	Umask                      string
	Timeout                    uint
	StopTimeout                uint
	Passwd                     bool
	SdNotifyMode               string `json:"sdNotifyMode"`
}

// InspectUlimit is one limit.
type InspectUlimit struct {
	Name string
	Soft uint64
	Hard uint64
}

// InspectIDMappings is a container's ids and the engine's, each CONTAINER:ENGINE:SIZE.
type InspectIDMappings struct {
	UIDMap []string `json:"UidMap"`
	GIDMap []string `json:"GidMap"`
}

// InspectHostConfig is what the container has of the host.
type InspectHostConfig struct {
	Binds           []string
	CgroupManager   string
	CgroupMode      string
	ContainerIDFile string
	LogConfig       struct {
		Type   string
		Config map[string]string
		Path   string
		Tag    string
		Size   string
	}
	NetworkMode   string
	PortBindings  map[string][]InspectPort
	RestartPolicy struct {
		Name              string
		MaximumRetryCount uint
	}
	AutoRemove      bool
	Annotations     map[string]string
	VolumeDriver    string
	VolumesFrom     []string
	CapAdd          []string
	CapDrop         []string
	DNS             []string `json:"Dns"`
	DNSOptions      []string `json:"DnsOptions"`
	DNSSearch       []string `json:"DnsSearch"`
	ExtraHosts      []string
	GroupAdd        []string
	IpcMode         string
	Cgroup          string
	Cgroups         string
	Links           []string
	OomScoreAdj     int
	PidMode         string
	Privileged      bool
	PublishAllPorts bool
	ReadonlyRootfs  bool
	SecurityOpt     []string
	Tmpfs           map[string]string
	UTSMode         string
	UsernsMode      string
	IDMappings      *InspectIDMappings `json:",omitempty"` // nil: those of the engine
	ShmSize         int64
	Runtime         string
	ConsoleSize     []uint
	Isolation       string
	CgroupParent    string
	Devices         []string
	PidsLimit       int64
	Ulimits         []InspectUlimit
	Init            bool
	InspectResources
}

// InspectResources are limits. hull sets none of these yet, so all are zero, as podman has them for a container without.
type InspectResources struct {
	CPUShares            uint64 `json:"CpuShares"`
	Memory               int64
	NanoCPUs             int64 `json:"NanoCpus"`
	BlkioWeight          uint16
	BlkioWeightDevice    []string
	BlkioDeviceReadBps   []string
	BlkioDeviceWriteBps  []string
	BlkioDeviceReadIOps  []string
	BlkioDeviceWriteIOps []string
	CPUPeriod            uint64 `json:"CpuPeriod"`
	CPUQuota             int64  `json:"CpuQuota"`
	CPURealtimePeriod    uint64 `json:"CpuRealtimePeriod"`
	CPURealtimeRuntime   int64  `json:"CpuRealtimeRuntime"`
	CpusetCpus           string
	CpusetMems           string
	DiskQuota            uint64
	KernelMemory         int64
	MemoryReservation    int64
	MemorySwap           int64
	MemorySwappiness     int64
	OomKillDisable       bool
	CPUCount             uint64 `json:"CpuCount"`
	CPUPercent           uint64 `json:"CpuPercent"`
	IOMaximumIOps        uint64
	IOMaximumBandwidth   uint64
	CgroupConf           []string
}
