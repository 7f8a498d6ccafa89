package config

// Engine is how hull itself works.
type Engine struct {
	ActiveService       string                 `toml:"active_service"`
	AddCompression      List                   `toml:"add_compression"`
	CDISpecDirs         List                   `toml:"cdi_spec_dirs"`
	CgroupCheck         bool                   `toml:"cgroup_check"`
	CgroupManager       string                 `toml:"cgroup_manager"` // "": the one that works here
	ChownCopiedFiles    bool                   `toml:"chown_copied_files"`
	ComposeProviders    List                   `toml:"compose_providers"`
	ComposeWarningLogs  bool                   `toml:"compose_warning_logs"`
	CompressionFormat   string                 `toml:"compression_format"`
	CompressionLevel    *int                   `toml:"compression_level"` // nil: the format's own
	ConmonEnvVars       List                   `toml:"conmon_env_vars"`
	ConmonPath          List                   `toml:"conmon_path"` // see Config.FindMonitor
	ConmonrsPath        List                   `toml:"conmonrs_path"`
	DatabaseBackend     string                 `toml:"database_backend"`
	DetachKeys          string                 `toml:"detach_keys"` // "": none
	EnablePortReserv    bool                   `toml:"enable_port_reservation"`
	Env                 List                   `toml:"env"` // KEY=VALUE for hull itself
	EventsInspectData   bool                   `toml:"events_container_create_inspect_data"`
	EventsLogfilePath   string                 `toml:"events_logfile_path"`
	EventsLogfileMax    string                 `toml:"events_logfile_max_size"`
	EventsLogger        string                 `toml:"events_logger"`
	ExitCommandDelay    uint32                 `toml:"exit_command_delay"` // seconds
	HealthcheckEvents   bool                   `toml:"healthcheck_events"`
	HelperBinariesDir   List                   `toml:"helper_binaries_dir"`
	HooksDir            List                   `toml:"hooks_dir"`
	ImageBuildFormat    string                 `toml:"image_build_format"` // the older name of image_default_format
	ImageCopyTmpDir     string                 `toml:"image_copy_tmp_dir"`
	ImageDefaultFormat  string                 `toml:"image_default_format"`
	ImageTransport      string                 `toml:"image_default_transport"`
	ImageParallel       uint32                 `toml:"image_parallel_copies"` // layers at once, 0: 6
	ImageVolumeMode     string                 `toml:"image_volume_mode"`
	InfraCommand        string                 `toml:"infra_command"`
	InfraImage          string                 `toml:"infra_image"`
	KubeGenerateType    string                 `toml:"kube_generate_type"`
	LockType            string                 `toml:"lock_type"`
	MultiImageArchive   bool                   `toml:"multi_image_archive"`
	Namespace           string                 `toml:"namespace"`
	NetworkCmdPath      string                 `toml:"network_cmd_path"` // slirp4netns
	NetworkCmdOptions   List                   `toml:"network_cmd_options"`
	NoPivotRoot         bool                   `toml:"no_pivot_root"`
	NumLocks            uint32                 `toml:"num_locks"`
	PodExitPolicy       string                 `toml:"pod_exit_policy"`
	PullPolicy          string                 `toml:"pull_policy"`
	Remote              bool                   `toml:"remote"`
	Retry               uint32                 `toml:"retry"`
	RetryDelay          string                 `toml:"retry_delay"` // duration, "": exponential
	Runtime             string                 `toml:"runtime"`     // "": crun, else runc
	RuntimeJSON         List                   `toml:"runtime_supports_json"`
	RuntimeKVM          List                   `toml:"runtime_supports_kvm"`
	RuntimeNoCgroups    List                   `toml:"runtime_supports_nocgroups"`
	ServiceTimeout      uint32                 `toml:"service_timeout"` // seconds, 0: never
	SSHConfig           string                 `toml:"ssh_config"`
	StaticDir           string                 `toml:"static_dir"`   // "": below the graph root
	StopTimeout         uint32                 `toml:"stop_timeout"` // seconds
	TmpDir              string                 `toml:"tmp_dir"`      // "": $XDG_RUNTIME_DIR/hull, root: /run/hull
	VolumePath          string                 `toml:"volume_path"`  // "": below the graph root
	VolumePluginTimeout uint32                 `toml:"volume_plugin_timeout"`
	PlatformRuntimes    map[string]string      `toml:"platform_to_oci_runtime"`
	Runtimes            map[string]List        `toml:"runtimes"` // name → paths, the first that exists is used
	ServiceDestinations map[string]Destination `toml:"service_destinations"`
	VolumePlugins       map[string]string      `toml:"volume_plugins"` // name → socket
}

// Destination is a remote service.
type Destination struct {
	URI       string `toml:"uri"`
	Identity  string `toml:"identity"`
	IsMachine bool   `toml:"is_machine"`
	TLSCA     string `toml:"tls_ca"`
	TLSCert   string `toml:"tls_cert"`
	TLSKey    string `toml:"tls_key"`
}
