// Package libpod is the engine: it opens the stores and makes the services that act on objects. It has no method that
// acts on an object itself.
package libpod

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"hull.dev/hull/libpod/artifacts"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/libpod/networks"
	"hull.dev/hull/libpod/registries"
	"hull.dev/hull/libpod/system"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/events"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/rootless"
)

// Options say where the engine works; an empty field is the configuration's or the user's default.
type Options struct {
	Layers       layers.Options
	TmpDir       string // RUNTIMEDIR: holds what a reboot empties
	VolumePath   string
	NetworkDir   string // of definitions of networks
	Events       string // file or none
	Monitor      string // path of hull-conmon
	RuntimeFlags []string
	Self         []string // argv of this program with its global flags
	Config       *config.Config
	Warn         func(string)
}

// Engine is a bag of services over one state.
type Engine struct {
	Containers  *containers.Service
	Others      containers.Others
	Differences containers.Differences
	Connections containers.Connections
	Networks    *networks.Service
	Images      *images.Service
	Artifacts   *artifacts.Service
	Registries  *registries.Service
	System      *system.Service
	Events      *events.Log
	Config      *config.Config
	Layers      *layers.Store
	Dirs        containers.Dirs
	state       *state.Store
}

// Open makes the engine. Nothing is read or made before a service needs it.
func Open(o Options) (*Engine, error) {
	store, err := layers.Open(o.Layers)
	if err != nil {
		return nil, err
	}
	tmp := o.TmpDir
	if tmp == "" {
		tmp = filepath.Join(rootless.RuntimeDir(), "hull")
	}
	dirs := containers.Dirs{
		Static:   filepath.Join(store.GraphRoot(), "hull"),
		Volatile: filepath.Join(tmp, key(store.GraphRoot())),
		Volumes:  o.VolumePath,
	}
	if dirs.Volumes == "" {
		dirs.Volumes = filepath.Join(dirs.Static, "volumes")
	}
	e := &Engine{
		Config: o.Config, Layers: store, Dirs: dirs, Others: containers.Others{Layers: store},
		state:  state.New(dirs.Static, dirs.Volatile),
		Events: &events.Log{},
	}
	if o.Events != "none" {
		e.Events.Path = filepath.Join(dirs.Volatile, "events.log")
	}
	if o.Monitor == "" {
		if o.Monitor, err = o.Config.FindMonitor(); err != nil {
			return nil, err
		}
	}
	e.Images = newImages(e, o)
	e.Artifacts = artifacts.New(store, newTransfer(o.Config))
	e.Registries = &registries.Service{Transfer: newTransfer(o.Config)}
	e.Containers = &containers.Service{
		State: e.state, Layers: store, Images: imagesOf{e.Images}, Config: o.Config, Events: e.Events,
		Monitor: &monitor.Starter{Path: o.Monitor}, Net: netClient(o, dirs, store.GraphRoot()), Dirs: dirs, Self: o.Self, RuntimeFlags: o.RuntimeFlags,
		Warn: o.Warn, Root: !rootless.Rootless(),
	}
	if e.Networks, err = newNetworks(e, o); err != nil {
		return nil, err
	}
	e.Containers.Networks = e.Networks.Store
	e.Differences = containers.Differences{Containers: e.Containers}
	e.Connections = containers.Connections{Containers: e.Containers}
	e.System = &system.Service{
		State: e.state, Layers: store, Containers: e.Containers, Unused: containers.Unused{Containers: e.Containers}, Images: e.Images, Networks: e.Networks,
		Net: e.Containers.Net, Definitions: e.Networks.Store, Keepers: keepersOf(e), Registries: e.Registries, Config: o.Config, Events: e.Events,
		Dirs: system.Dirs(dirs), Root: !rootless.Rootless(),
	}
	return e, nil
}

// Prepare begins, beside what the caller does next, with what each start of a container or of a process in one needs: a
// monitor, and the state of what runs.
func (e *Engine) Prepare(ctx context.Context) {
	e.Containers.Monitor.Ahead()
	e.state.Prepare(ctx)
}

// Close closes what was opened.
func (e *Engine) Close() error { return e.state.Close() }

// key is the name of a graph root's folder in the runtime directory: two roots never share what runs.
func key(graphRoot string) string {
	if target, err := filepath.EvalSymlinks(graphRoot); err == nil {
		graphRoot = target
	}
	sum := sha256.Sum256([]byte(graphRoot))
	return hex.EncodeToString(sum[:6])
}
