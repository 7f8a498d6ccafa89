package app

import (
	"context"
	"log/slog"
	"strings"

	"hull.dev/hull/cmd/hull/internal/artifact"
	"hull.dev/hull/cmd/hull/internal/container"
	"hull.dev/hull/cmd/hull/internal/image"
	"hull.dev/hull/cmd/hull/internal/manifest"
	"hull.dev/hull/cmd/hull/internal/network"
	"hull.dev/hull/cmd/hull/internal/registry"
	"hull.dev/hull/cmd/hull/internal/system"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/rootless"
)

// engine opens the engine inside the user's namespaces, which it enters if need be: it may execute the program anew.
func (d deps) engine(ctx context.Context) (*libpod.Engine, error) {
	if err := rootless.Enter(ctx, warn); err != nil {
		return nil, err
	}
	return d.reader(ctx)
}

// reader opens the engine where the process is. It can read the state, and change nothing that needs the namespaces.
func (d deps) reader(context.Context) (*libpod.Engine, error) {
	g := d.globals
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	argv, err := d.self()
	if err != nil {
		return nil, err
	}
	o := libpod.Options{
		Layers: layers.Options{
			Root: g.root, RunRoot: g.runRoot, Driver: g.storageDriver, DriverOptions: g.storageOpts, ImageStore: g.imageStore,
		},
		TmpDir: c.Engine.TmpDir, VolumePath: c.Engine.VolumePath, NetworkDir: c.Network.NetworkConfigDir, Events: c.Engine.EventsLogger, Monitor: g.conmon, Config: c, Warn: warn, Self: argv,
	}
	for _, flag := range g.runtimeFlags {
		o.RuntimeFlags = append(o.RuntimeFlags, "--"+strings.TrimPrefix(flag, "--"))
	}
	return libpod.Open(o)
}

func warn(text string) { slog.Warn(text) }

func (d deps) container() container.Deps {
	return container.Deps{Streams: d.streams, Engine: d.engine, Reader: d.reader}
}

func (d deps) system() system.Deps {
	return system.Deps{Streams: d.streams, Engine: d.engine, Reader: d.reader, Version: func() define.EngineVersion {
		return define.EngineVersion(*readVersion().Client)
	}}
}

func (d deps) image() image.Deps {
	return image.Deps{Streams: d.streams, Config: d.config, Self: d.self, Engine: func(ctx context.Context) (image.Engine, error) {
		e, err := d.engine(ctx)
		if err != nil {
			return nil, err
		}
		return e.Images, nil
	}}
}

func (d deps) artifact() artifact.Deps {
	return artifact.Deps{Streams: d.streams, Config: d.config, Engine: func(ctx context.Context) (artifact.Engine, error) {
		e, err := d.engine(ctx)
		if err != nil {
			return nil, err
		}
		return e.Artifacts, nil
	}}
}

func (d deps) manifest() manifest.Deps {
	return manifest.Deps{Streams: d.streams, Config: d.config, Engine: func(ctx context.Context) (manifest.Engine, error) {
		e, err := d.engine(ctx)
		if err != nil {
			return nil, err
		}
		return images.Lists{Service: e.Images}, nil
	}}
}

func (d deps) network() network.Deps {
	open := func(from func(context.Context) (*libpod.Engine, error)) func(context.Context) (network.Engine, error) {
		return func(ctx context.Context) (network.Engine, error) {
			e, err := from(ctx)
			if err != nil {
				return nil, err
			}
			return e.Networks, nil
		}
	}
	return network.Deps{Streams: d.streams, Engine: open(d.engine), Reader: open(d.reader)}
}

func (d deps) registry() registry.Deps {
	return registry.Deps{Streams: d.streams, Engine: func(ctx context.Context) (registry.Engine, error) {
		e, err := d.engine(ctx)
		if err != nil {
			return nil, err
		}
		return e.Registries, nil
	}}
}
