package config

// defaultCapabilities are those that podman gives since 4.4.
var defaultCapabilities = [...]string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// Default is what holds when no file says otherwise. Each call gives a new value.
func Default() *Config {
	return &Config{
		Containers: defaultContainers(),
		Engine:     defaultEngine(),
		Network: Network{
			CNIPluginDirs:      of("/usr/local/libexec/cni", "/usr/libexec/cni", "/usr/local/lib/cni", "/usr/lib/cni", "/opt/cni/bin"),
			NetavarkPluginDirs: of("/usr/local/libexec/netavark", "/usr/libexec/netavark", "/usr/local/lib/netavark", "/usr/lib/netavark"),
			DefaultNetwork:     "hull",
			DefaultSubnet:      "10.88.0.0/16",
			DefaultSubnetPools: []SubnetPool{
				{"10.89.0.0/16", 24}, {"10.90.0.0/15", 24}, {"10.92.0.0/14", 24}, {"10.96.0.0/11", 24}, {"10.128.0.0/9", 24},
			},
		},
		Secrets:    Driver{Driver: "file"},
		ConfigMaps: Driver{Driver: "file"},
		Machine:    Machine{CPUs: 1, DiskSize: 10, Image: "testing", Memory: 2048, User: "core", Volumes: of("$HOME:$HOME")},
		Podmansh:   Podmansh{Container: "podmansh", Shell: "/bin/sh", Timeout: 30},
	}
}

func defaultContainers() Containers {
	return Containers{
		AppArmorProfile:     "container-default",
		Cgroupns:            "private",
		Cgroups:             "enabled",
		DefaultCapabilities: of(defaultCapabilities[:]...),
		DefaultSysctls:      of("net.ipv4.ping_group_range=0 0"),
		Env:                 of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"),
		HTTPProxy:           true,
		Ipcns:               "shareable",
		Keyring:             true,
		Label:               true,
		LogDriver:           "k8s-file",
		LogSizeMax:          -1,
		Netns:               "private",
		Pidns:               "private",
		PidsLimit:           2048,
		ShmSize:             "65536k",
		Umask:               "0022",
		Userns:              "host",
		UsernsSize:          65536,
		Utsns:               "private",
	}
}

func defaultEngine() Engine {
	return Engine{
		CDISpecDirs:        of("/etc/cdi", "/var/run/cdi"),
		ChownCopiedFiles:   true,
		ComposeProviders:   of("docker-compose", "$HOME/.docker/cli-plugins/docker-compose", "/usr/local/lib/docker/cli-plugins/docker-compose", "/usr/local/libexec/docker/cli-plugins/docker-compose", "/usr/lib/docker/cli-plugins/docker-compose", "/usr/libexec/docker/cli-plugins/docker-compose", "podman-compose"),
		ComposeWarningLogs: true,
		CompressionFormat:  "gzip",
		DatabaseBackend:    "sqlite",
		DetachKeys:         "ctrl-p,ctrl-q",
		EnablePortReserv:   true,
		EventsLogfileMax:   "1m",
		EventsLogger:       "file",
		ExitCommandDelay:   300,
		HealthcheckEvents:  true,
		HelperBinariesDir: of("/usr/local/libexec/hull", "/usr/local/lib/hull", "/usr/libexec/hull", "/usr/lib/hull",
			"/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman"),
		HooksDir:         of("/usr/share/containers/oci/hooks.d"),
		ImageCopyTmpDir:  "/var/tmp",
		ImageTransport:   "docker://",
		ImageVolumeMode:  "anonymous",
		KubeGenerateType: "pod",
		LockType:         "shm",
		NumLocks:         2048,
		PodExitPolicy:    "continue",
		PullPolicy:       "missing",
		Retry:            3,
		Runtimes: map[string]List{
			"crun":      in("crun"),
			"crun-vm":   in("crun-vm"),
			"crun-wasm": in("crun-wasm"),
			"kata":      in("kata-runtime"),
			"krun":      in("krun"),
			"ocijail":   of("/usr/local/bin/ocijail"),
			"runc":      in("runc"),
			"runj":      of("/usr/local/bin/runj"),
			"runsc":     in("runsc"),
			"youki":     in("youki"),
		},
		RuntimeJSON:         of("crun", "runc", "kata", "runsc", "youki", "krun"),
		RuntimeKVM:          of("kata", "krun"),
		RuntimeNoCgroups:    of("crun", "krun"),
		ServiceTimeout:      5,
		StopTimeout:         10,
		VolumePluginTimeout: 5,
	}
}

// of is a list of these values.
func of(values ...string) List { return List{Values: values} }

// in is where a distribution or an administrator puts a program of this name, in podman's order.
func in(name string) List {
	return of("/usr/bin/"+name, "/usr/sbin/"+name, "/usr/local/bin/"+name, "/usr/local/sbin/"+name, "/sbin/"+name, "/bin/"+name)
}
