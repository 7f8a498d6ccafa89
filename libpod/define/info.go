package define

// Info is what podman-info(1) prints, with the fields and names of podman's JSON.
type Info struct {
	Host       *HostInfo      `json:"host"`
	Store      *StoreInfo     `json:"store"`
	Registries map[string]any `json:"registries"` // what registries.conf says, by prefix; those that are searched as "search"
	Sources    *SourcesInfo   `json:"sources"`    // podman does not have it
	Plugins    PluginsInfo    `json:"plugins"`
	Version    EngineVersion  `json:"version"`
}

// SourcesInfo is where what hull knows of registries comes from: a file, or "built-in default". A file that cannot be
// read has a problem.
type SourcesInfo struct {
	Policy     PolicyInfo     `json:"policy"`
	Registries RegistriesInfo `json:"registries"`
	ShortNames ShortNamesInfo `json:"shortNames"`
	Problem    string         `json:"problem,omitempty"` // why nothing of it is known
}

// PolicyInfo is which images are let in.
type PolicyInfo struct {
	Source  string   `json:"source"`
	Default []string `json:"default"` // types of the requirements for what has none of its own
	Problem string   `json:"problem,omitempty"`
}

// RegistriesInfo is how registries are reached, and which are searched for a name without one.
type RegistriesInfo struct {
	Sources      []string `json:"sources"` // files, in the order in which they are read
	Search       []string `json:"search"`
	SearchSource string   `json:"searchSource,omitempty"` // "": registries.conf names none
	Problem      string   `json:"problem,omitempty"`
}

// ShortNamesInfo is what names without a registry mean, before registries are searched.
type ShortNamesInfo struct {
	Sources []AliasesInfo `json:"sources"`
	Mode    string        `json:"mode"` // enforcing, permissive, disabled
}

// AliasesInfo is a file with aliases.
type AliasesInfo struct {
	Source  string `json:"source"`
	Aliases int    `json:"aliases"`
}

// HostInfo describes the machine and the programs that hull starts.
type HostInfo struct {
	Arch              string            `json:"arch"`
	BuildahVersion    string            `json:"buildahVersion"`
	CgroupManager     string            `json:"cgroupManager"`
	CgroupsVersion    string            `json:"cgroupVersion"` // v1 or v2
	CgroupControllers []string          `json:"cgroupControllers"`
	Conmon            *ProgramInfo      `json:"conmon"` // hull-conmon
	CPUs              int               `json:"cpus"`
	CPUUtilization    *CPUUsage         `json:"cpuUtilization"` // since boot
	Distribution      DistributionInfo  `json:"distribution"`
	EventLogger       string            `json:"eventLogger"`
	Hostname          string            `json:"hostname"`
	IDMappings        IDMappingsInfo    `json:"idMappings"`
	Kernel            string            `json:"kernel"`
	LogDriver         string            `json:"logDriver"`
	MemFree           int64             `json:"memFree"`  // bytes
	MemTotal          int64             `json:"memTotal"` // bytes
	NetworkBackend    string            `json:"networkBackend"`
	OCIRuntime        *RuntimeInfo      `json:"ociRuntime"`
	OS                string            `json:"os"`
	RemoteSocket      *RemoteSocketInfo `json:"remoteSocket,omitempty"`
	ServiceIsRemote   bool              `json:"serviceIsRemote"`
	Security          SecurityInfo      `json:"security"`
	Slirp4NetNS       *UplinkInfo       `json:"slirp4netns,omitempty"` // nil: not installed
	Pasta             *UplinkInfo       `json:"pasta,omitempty"`
	SwapFree          int64             `json:"swapFree"`
	SwapTotal         int64             `json:"swapTotal"`
	Uptime            string            `json:"uptime"`
	Linkmode          string            `json:"linkmode"`
}

// ProgramInfo is a program that hull starts. Package is NAME_VERSION_ARCHITECTURE, or "Unknown" where it comes from no
// package of Debian's.
type ProgramInfo struct {
	Package string `json:"package"`
	Path    string `json:"path"`
	Version string `json:"version"`
}

// RuntimeInfo is the OCI runtime.
type RuntimeInfo struct {
	Name    string `json:"name"`
	Package string `json:"package"`
	Path    string `json:"path"`
	Version string `json:"version"` // all that it says of itself
}

// UplinkInfo is a program that connects a container's network namespace.
type UplinkInfo struct {
	Executable string `json:"executable"`
	Package    string `json:"package"`
	Version    string `json:"version"`
}

// CPUUsage is shares of the time since boot, in percent.
type CPUUsage struct {
	UserPercent   float64 `json:"userPercent"`
	SystemPercent float64 `json:"systemPercent"`
	IdlePercent   float64 `json:"idlePercent"`
}

// DistributionInfo is out of os-release(5).
type DistributionInfo struct {
	Distribution string `json:"distribution"`
	Version      string `json:"version"`
	Codename     string `json:"codename,omitempty"`
	Variant      string `json:"variant,omitempty"`
}

// IDMappingsInfo is the user namespace that hull works in; nil maps for root.
type IDMappingsInfo struct {
	GIDMap []InfoRange `json:"gidmap"`
	UIDMap []InfoRange `json:"uidmap"`
}

// InfoRange is one line of /proc/PID/uid_map.
type InfoRange struct {
	ContainerID int `json:"container_id"`
	HostID      int `json:"host_id"`
	Size        int `json:"size"`
}

// RemoteSocketInfo is where the API is served, or would be.
type RemoteSocketInfo struct {
	Path   string `json:"path,omitempty"`
	Exists bool   `json:"exists,omitempty"`
}

// SecurityInfo is what confines containers.
type SecurityInfo struct {
	AppArmorEnabled     bool   `json:"apparmorEnabled"`
	DefaultCapabilities string `json:"capabilities"`
	Rootless            bool   `json:"rootless"`
	SECCOMPEnabled      bool   `json:"seccompEnabled"`
	SECCOMPProfilePath  string `json:"seccompProfilePath"` // "": the built-in profile
	SELinuxEnabled      bool   `json:"selinuxEnabled"`
}

// StoreInfo describes where images, containers and volumes are.
type StoreInfo struct {
	ConfigFile         string             `json:"configFile"`
	ContainerStore     ContainerStoreInfo `json:"containerStore"`
	GraphDriverName    string             `json:"graphDriverName"`
	GraphOptions       map[string]any     `json:"graphOptions"`
	GraphRoot          string             `json:"graphRoot"`
	GraphRootAllocated uint64             `json:"graphRootAllocated"` // bytes of the file system
	GraphRootUsed      uint64             `json:"graphRootUsed"`
	GraphStatus        map[string]string  `json:"graphStatus"`
	ImageCopyTmpDir    string             `json:"imageCopyTmpDir"`
	ImageStore         ImageStoreInfo     `json:"imageStore"`
	RunRoot            string             `json:"runRoot"`
	VolumePath         string             `json:"volumePath"`
	TransientStore     bool               `json:"transientStore"`
}

// ContainerStoreInfo counts containers.
type ContainerStoreInfo struct {
	Number  int `json:"number"`
	Paused  int `json:"paused"`
	Running int `json:"running"`
	Stopped int `json:"stopped"`
}

// ImageStoreInfo counts images.
type ImageStoreInfo struct {
	Number int `json:"number"`
}

// PluginsInfo lists the drivers of each kind.
type PluginsInfo struct {
	Volume        []string `json:"volume"`
	Network       []string `json:"network"`
	Log           []string `json:"log"`
	Authorization []string `json:"authorization"` // docker has it, podman and hull do not
}

// EngineVersion is the version of hull.
type EngineVersion struct {
	APIVersion string
	Version    string
	GoVersion  string
	GitCommit  string
	BuiltTime  string
	Built      int64
	OsArch     string
	Os         string
}
