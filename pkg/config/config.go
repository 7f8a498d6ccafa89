// Package config is containers.conf(5): hull's settings, with podman's keys, places and order.
//
// Later files win, key by key:
//
//	/usr/share/containers/containers.conf               the distribution
//	/etc/containers/containers.conf                     the administrator
//	/etc/containers/containers.conf.d/*.conf            in the order of their names
//	$XDG_CONFIG_HOME/containers/containers.conf         the user, when it is not root
//	$XDG_CONFIG_HOME/containers/containers.conf.d/*.conf
//	--module FILE                                       from the command line
//
// $CONTAINERS_CONF names a file in place of all of these but the modules; $CONTAINERS_CONF_OVERRIDE names one that is read
// last. A list replaces the one before it, or is added to it when {append=true} is among its values; see List.
//
// The files are shared with podman, so a key that hull does not know is a warning and no error. So is a key that hull knows
// and does not act on yet, when a file sets it to something else than its default. Bad TOML, a value of a wrong type and a
// word that a key does not allow are errors: what the user asked for is not known then.
//
// The file containers.conf at the top of the repository describes every key; a test compares it with these structs.
package config

// Config is all settings. The toml tags are the keys.
type Config struct {
	Containers Containers `toml:"containers"`
	Engine     Engine     `toml:"engine"`
	Network    Network    `toml:"network"`
	Secrets    Driver     `toml:"secrets"`
	ConfigMaps Driver     `toml:"configmaps"`
	Machine    Machine    `toml:"machine"`
	Farms      Farms      `toml:"farms"`
	Podmansh   Podmansh   `toml:"podmansh"`

	set map[string]string // key → the last file that sets it
}

// Set is the file that sets the key ("containers.log_driver"), or "" when it has its default.
func (c *Config) Set(key string) string { return c.set[key] }

// Containers is what new containers get when the command line asks for nothing else.
type Containers struct {
	Annotations             List   `toml:"annotations"` // KEY=VALUE
	AppArmorProfile         string `toml:"apparmor_profile"`
	BaseHostsFile           string `toml:"base_hosts_file"` // "", image, none or a path
	CgroupConf              List   `toml:"cgroup_conf"`     // FILE=VALUE in the container's cgroup
	Cgroupns                string `toml:"cgroupns"`
	Cgroups                 string `toml:"cgroups"`
	ContainerNameAsHostname bool   `toml:"container_name_as_hostname"`
	DefaultCapabilities     List   `toml:"default_capabilities"` // without CAP_
	DefaultSysctls          List   `toml:"default_sysctls"`      // NAME=VALUE
	DefaultUlimits          List   `toml:"default_ulimits"`      // NAME=SOFT[:HARD]
	Devices                 List   `toml:"devices"`              // HOST[:CONTAINER][:rwm]
	DNSOptions              List   `toml:"dns_options"`
	DNSSearches             List   `toml:"dns_searches"`
	DNSServers              List   `toml:"dns_servers"`
	Env                     List   `toml:"env"` // KEY=VALUE
	EnvHost                 bool   `toml:"env_host"`
	HostContainersIP        string `toml:"host_containers_internal_ip"`
	HTTPProxy               bool   `toml:"http_proxy"`
	Init                    bool   `toml:"init"`
	InitPath                string `toml:"init_path"` // "": found like a helper
	InterfaceName           string `toml:"interface_name"`
	Ipcns                   string `toml:"ipcns"`
	Keyring                 bool   `toml:"keyring"`
	Label                   bool   `toml:"label"`
	LabelUsers              bool   `toml:"label_users"`
	LogDriver               string `toml:"log_driver"`
	LogPath                 string `toml:"log_path"`     // "": in the container's own directory
	LogSizeMax              int64  `toml:"log_size_max"` // bytes, negative: no limit
	LogTag                  string `toml:"log_tag"`
	Mounts                  List   `toml:"mounts"` // as --mount
	Netns                   string `toml:"netns"`
	NoHosts                 bool   `toml:"no_hosts"`
	OOMScoreAdj             *int   `toml:"oom_score_adj"` // nil: the engine's own
	Pidns                   string `toml:"pidns"`
	PidsLimit               int64  `toml:"pids_limit"` // 0 or negative: no limit
	PrepareVolumeOnCreate   bool   `toml:"prepare_volume_on_create"`
	Privileged              bool   `toml:"privileged"`
	ReadOnly                bool   `toml:"read_only"`
	RootlessNetworking      string `toml:"rootless_networking"` // podman has dropped it
	SeccompProfile          string `toml:"seccomp_profile"`     // "": the built-in one
	ShmSize                 string `toml:"shm_size"`            // number and unit; see ShmBytes
	TZ                      string `toml:"tz"`
	Umask                   string `toml:"umask"` // octal
	Userns                  string `toml:"userns"`
	UsernsSize              int    `toml:"userns_size"` // ids for --userns=auto
	Utsns                   string `toml:"utsns"`
	Volumes                 List   `toml:"volumes"` // HOST:CONTAINER[:OPTIONS]
}

// Network is how container networks are made.
type Network struct {
	NetworkBackend     string       `toml:"network_backend"`
	CNIPluginDirs      List         `toml:"cni_plugin_dirs"`
	NetavarkPluginDirs List         `toml:"netavark_plugin_dirs"`
	FirewallDriver     string       `toml:"firewall_driver"`
	DefaultNetwork     string       `toml:"default_network"`
	DefaultSubnet      string       `toml:"default_subnet"`
	DefaultSubnetPools []SubnetPool `toml:"default_subnet_pools"`
	DefaultRootlessCmd string       `toml:"default_rootless_network_cmd"` // "": the faster of those installed
	NetworkConfigDir   string       `toml:"network_config_dir"`
	DNSBindPort        uint16       `toml:"dns_bind_port"` // 0: 53
	PastaOptions       List         `toml:"pasta_options"`
}

// SubnetPool is a range that networks get their subnets from.
type SubnetPool struct {
	Base string `toml:"base"` // address/prefix
	Size int    `toml:"size"` // prefix of one subnet
}

// Driver is where a kind of thing is kept, with options of that driver's own.
type Driver struct {
	Driver string            `toml:"driver"`
	Opts   map[string]string `toml:"opts"`
}

// Machine is about podman's virtual machines, which hull has none of.
type Machine struct {
	CPUs     uint32 `toml:"cpus"`
	DiskSize uint32 `toml:"disk_size"` // GB
	Image    string `toml:"image"`
	Memory   uint32 `toml:"memory"` // MB
	Provider string `toml:"provider"`
	Rosetta  bool   `toml:"rosetta"`
	User     string `toml:"user"`
	Volumes  List   `toml:"volumes"`
}

// Farms are groups of remote engines that build together.
type Farms struct {
	Default string          `toml:"default"`
	List    map[string]List `toml:"list"`
}

// Podmansh is the login shell in a container, which hull does not have.
type Podmansh struct {
	Container string `toml:"container"`
	Shell     string `toml:"shell"`
	Timeout   uint32 `toml:"timeout"` // seconds
}
