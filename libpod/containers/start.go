package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/leanjson"
	"hull.dev/hull/pkg/network/wire"
)

// StartOptions is how a container is started.
type StartOptions struct {
	Attach  *Streams // nil: detached
	InitAll bool     // only make it, as "hull init" does
}

// Running is a container that was started; with streams it is attached.
type Running struct {
	ID      string
	Config  define.ContainerConfig
	service *Service
	session *monitor.Session
}

// Start starts a container and returns when its process runs.
func (s *Service) Start(ctx context.Context, ref string, o StartOptions) (r *Running, err error) {
	err = s.withLocked(ctx, ref, func(c *locked) error {
		r, err = s.start(ctx, c, o)
		return err
	})
	if err != nil {
		err = errs.WithExit(err, errs.ExitEngine) // 126 and 127 are run's and exec's
	}
	return r, err
}

// Run creates a container and starts it under one lock. When the start fails the container stays, as podman has it, but
// for one that removes itself.
func (s *Service) Run(ctx context.Context, o define.CreateOptions, start StartOptions) (*Running, error) {
	c, err := s.create(ctx, o, &start)
	if err != nil {
		return nil, err
	}
	defer c.lock.Unlock()
	r, err := s.start(ctx, c, start)
	c.launch.close(ctx)
	if err == nil {
		return r, nil
	}
	if errs.Exit(err) == errs.ExitEngine {
		err = errs.WithExit(err, errs.ExitNotExecutable) // as podman has it for all that fails after create
	}
	if !o.Remove {
		return nil, errs.WithHint(err, "container %s is kept: hull start %s tries again, hull rm %s removes it", c.Config.Name, c.Config.Name, c.Config.Name)
	}
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	return nil, errors.Join(err, s.remove(undo, c, false))
}

// start starts a container that this process holds the lock of.
func (s *Service) start(ctx context.Context, c *locked, o StartOptions) (*Running, error) {
	if c.run != nil {
		return s.startInitialized(ctx, c, o)
	}
	if err := s.startDependencies(ctx, c); err != nil {
		return nil, err
	}
	run := &state.Run{ID: c.id(), Intent: state.IntentStart, Started: time.Now(), Initialized: o.InitAll}
	if opensNetwork(&c.Config) {
		run.NetNS = s.netnsPath(c.id())
	}
	if err := s.State.PutRun(ctx, run); err != nil {
		return nil, err
	}
	c.run = run
	failpoint.Hit("start/intended")
	session, err := s.launch(ctx, c, o)
	if err != nil {
		undo, cancel := cleanup.Context(ctx)
		defer cancel()
		exit := define.Exit{Code: errs.Exit(err), At: time.Now(), Error: err.Error()}
		return nil, errors.Join(err, s.release(undo, c, &exit))
	}
	failpoint.Hit("start/launched")
	if err := s.started(ctx, c); err != nil {
		return nil, err
	}
	status := "start"
	if o.InitAll {
		status = "init"
	}
	s.event(&c.Config, status, nil)
	return &Running{ID: c.id(), Config: c.Config, service: s, session: session}, nil
}

// started writes down that the process is there.
func (s *Service) started(ctx context.Context, c *locked) error {
	c.run.Intent, c.Intent = state.IntentNone, state.IntentNone
	return errors.Join(s.State.SetStarted(ctx, c.id(), c.run.Started), s.State.PutRun(ctx, c.run))
}

// startInitialized starts the process of a container that init made; one that runs already is left alone.
func (s *Service) startInitialized(ctx context.Context, c *locked, o StartOptions) (*Running, error) {
	r := &Running{ID: c.id(), Config: c.Config, service: s}
	if o.InitAll {
		return nil, errs.Conflict("container %q has already been initialized or runs", c.Config.Name)
	}
	if o.Attach != nil {
		session, err := monitor.Attach(ctx, s.dir(c.id()), o.Attach.hello(&c.Config))
		if err != nil {
			return nil, explain("attach to", &c.Config, err)
		}
		r.session = session
	}
	if !c.run.Initialized {
		return r, nil
	}
	failpoint.Hit("start/initialized")
	runtime, err := s.runtime(&c.Config)
	if err != nil {
		return nil, err
	}
	if err := runtime.Start(ctx, c.id()); err != nil {
		return nil, explain("start", &c.Config, err)
	}
	c.run.Initialized, c.run.Intent = false, ""
	if err := errors.Join(s.State.SetStarted(ctx, c.id(), time.Now()), s.State.PutRun(ctx, c.run)); err != nil {
		return nil, err
	}
	s.event(&c.Config, "start", nil)
	return r, nil
}

// startDependencies starts the containers whose namespaces this one shares.
func (s *Service) startDependencies(ctx context.Context, c *locked) error {
	on, err := s.State.DependsOn(ctx, c.id())
	if err != nil {
		return err
	}
	for _, id := range on {
		other, err := s.Lookup(ctx, id)
		if err != nil {
			return err
		}
		if other.PID != 0 {
			continue
		}
		if _, err := s.Start(ctx, id, StartOptions{}); err != nil {
			return fmt.Errorf("start container %q, which %q depends on: %w", other.Config.Name, c.Config.Name, err)
		}
	}
	return nil
}

// launch mounts, makes the spec and has the monitor start the process.
func (s *Service) launch(ctx context.Context, c *locked, o StartOptions) (session *monitor.Session, err error) {
	l := c.launch
	if l == nil {
		l = s.spawn(o, c.Config.Options.PreserveFDs, c.Config.Options.LogDriver)
	}
	defer l.close(ctx) // before anything is undone
	if c.launch == nil {
		if err := l.begin(s, c, o); err != nil {
			return nil, err
		}
	}
	net := s.openNetwork(ctx, c, c.run)
	defer func() { _ = net.wait() }() // before anything is undone
	root, err := s.mountRoot(ctx, c)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("start/mounted")
	spec, made, err := s.makeSpec(ctx, c, root)
	if err != nil {
		return nil, err
	}
	if err := s.letIn(c, root); err != nil {
		return nil, err
	}
	failpoint.Hit("start/bundle")
	if err := s.settle(ctx, net, c.run); err != nil {
		return nil, err
	}
	failpoint.Hit("start/network")
	if err := s.writeNames(c, root, s.insidePutter(c.id())); err != nil {
		return nil, err
	}
	session, err = l.deliver(ctx, spec)
	if err == nil {
		made.keep(l.request.Runtime)
	}
	return session, err
}

// mountRoot mounts the layer and makes what has to be there before the runtime looks.
func (s *Service) mountRoot(ctx context.Context, c *locked) (string, error) {
	o := &c.Config.Options
	path := o.Image
	if o.RootfsOverlay {
		if err := s.Layers.CreateOver(c.id(), o.Image); err != nil {
			return "", err
		}
		c.layerless = false
	}
	if layered(&c.Config) {
		var err error
		if path, err = s.Layers.Mount(ctx, c.id()); err != nil {
			return "", err
		}
	}
	c.run.Mount = path
	if err := s.fillVolumes(c, path); err != nil {
		return "", err
	}
	return path, s.giveMounts(&c.Config, path)
}

// makeSpec writes the files that are mounted inside and makes the spec.
func (s *Service) makeSpec(ctx context.Context, c *locked, root string) ([]byte, *filter, error) {
	dir := s.dir(c.id())
	joined, err := s.joined(ctx, &c.Config)
	if err != nil {
		return nil, nil, err
	}
	if c.run.NetNS != "" && c.Config.IDMap != nil && joined["user"] == "" {
		joined["user"] = s.usernsPath(c.id())
	}
	shm, err := s.sharedShm(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	overlays, err := s.makeOverlays(&c.Config)
	if err != nil {
		return nil, nil, err
	}
	files, home, err := s.writeFiles(c, root)
	if err != nil {
		return nil, nil, err
	}
	in := ocispec.Input{
		Config: &c.Config, Rootfs: root, Dir: dir, Volumes: map[string]string{}, Overlays: overlays, Joined: joined, NetNS: c.run.NetNS,
		Shm: shm, Files: files, Home: home, Rootless: !s.Root,
		Capabilities: s.Config.Containers.DefaultCapabilities.Values, Seccomp: s.Config.Containers.Seccomp(),
		Ulimits: s.Config.Containers.DefaultUlimits.Values, PidsLimit: s.Config.Containers.PidsLimit,
		Sysctls: s.Config.Containers.DefaultSysctls.Values,
	}
	if size, err := mapped(); err == nil {
		in.MaxID = size - 1
	}
	for _, v := range c.Config.Volumes {
		in.Volumes[v.Name] = s.mountpoint(v.Name)
	}
	if c.Config.Options.Init {
		if in.InitPath, err = s.initPath(&c.Config.Options); err != nil {
			return nil, nil, err
		}
	}
	spec, err := ocispec.Make(in)
	if err != nil {
		return nil, nil, err
	}
	runtime, err := s.runtime(&c.Config)
	if err != nil {
		return nil, nil, err
	}
	made, err := s.setFilter(runtime, &in, spec)
	if err != nil {
		return nil, nil, err
	}
	data, err := leanjson.Marshal(spec)
	if err != nil {
		return nil, nil, err
	}
	return data, made, nil
}

// initPath finds the program of --init: the flag's, the configuration's, catatonit or tini.
func (s *Service) initPath(o *define.CreateOptions) (string, error) {
	for _, path := range []string{o.InitPath, s.Config.Containers.InitPath, "/usr/libexec/podman/catatonit", "/usr/bin/catatonit", "/usr/bin/tini-static", "/usr/bin/tini"} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if path == o.InitPath {
			return "", errs.Invalid("--init-path %q is not there", path)
		}
	}
	return "", errs.WithHint(errors.New("--init: no init program is installed"), "apt-get install catatonit, or name one with --init-path")
}

// request says to the monitor what to do.
func (s *Service) request(c *locked, o StartOptions) (r protocol.Request, err error) {
	opts := &c.Config.Options
	runtime, err := s.runtime(&c.Config)
	if err != nil {
		return r, err
	}
	dir := s.dir(c.id())
	r = protocol.Request{
		Kind: protocol.KindContainer, ID: c.id(), Name: c.Config.Name, Dir: dir,
		Runtime: runtime.Path, RuntimeArgs: runtime.Args(), CreateArgs: s.createArgs(), Bundle: dir, Mode: protocol.ModeRun,
		Env: os.Environ(), Terminal: opts.TTY, Stdin: opts.Interactive,
		LogDriver: opts.LogDriver, LogPath: s.logPath(&c.Config), LogTag: opts.LogOptions["tag"],
		RestartPolicy: opts.Restart, RestartMax: int64(opts.RestartMax), Timeout: int64(opts.Timeout),
		PIDFile: opts.PIDFile, MonitorPIDFile: opts.MonitorPID,
		Cleanup:     append(slices.Clone(s.Self), "container", "cleanup", c.id()),
		Discard:     s.discarded(),
		PreserveFDs: int64(len(opts.PreserveFDs)),
	}
	if c.Config.Network == bridgeMode {
		r.NetPIDFile, r.NetCommand = filepath.Join(s.Net.Dir, wire.PID), s.Net.Command
	}
	if o.InitAll {
		r.Mode = protocol.ModeCreate
	}
	if r.LogMaxSize, err = logSize(opts); err != nil {
		return r, err
	}
	if r.LogMaxSize == 0 && s.Config.Containers.LogSizeMax > 0 {
		r.LogMaxSize = s.Config.Containers.LogSizeMax
	}
	for key, value := range c.Config.Labels {
		if label := opts.LogOptions["label"]; label != "" && slices.Contains(strings.Split(label, ","), key) {
			r.LogLabels = append(r.LogLabels, key+"="+value)
		}
	}
	o.Attach.ask(&r)
	return r, nil
}

// logPath is the file of a container's log.
func (s *Service) logPath(c *define.ContainerConfig) string {
	if path := c.Options.LogOptions["path"]; path != "" {
		return path
	}
	if c.Options.LogDriver != "k8s-file" && c.Options.LogDriver != "json-file" {
		return ""
	}
	return filepath.Join(s.staticDir(c.ID), "ctr.log")
}
