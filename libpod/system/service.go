// Package system is what concerns the engine as a whole: the check that rows and things belong together, and its repair;
// the facts of info; the events; the reset.
package system

import (
	"context"
	"path/filepath"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/events"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
	"hull.dev/hull/pkg/transfer"
)

// Containers is what the system needs of the containers' service.
type Containers interface {
	// Mend brings a container that no other command works on into order.
	Mend(ctx context.Context, id string) error
	Lookup(ctx context.Context, ref string) (*define.Container, error)
	List(ctx context.Context, all bool) ([]*define.ListedContainer, error)
	Stop(ctx context.Context, ref string, o define.StopOptions) error
	Remove(ctx context.Context, ref string, o define.RemoveOptions) error
	Locks() lockfile.Dir
	// Unsettled says what a dead process left of a container whose lock the caller holds.
	Unsettled(row *state.Container, run *state.Run, execs []*define.ExecSession) string
}

// Unused removes the containers that do not run, and the volumes that no container uses.
type Unused interface {
	Prune(ctx context.Context, filters []string) ([]define.PruneReport, []error)
	PruneVolumes(ctx context.Context, filters []string) ([]define.VolumePruneReport, []error)
	RemovePruned() error // what a killed PruneVolumes has left
	Discarded() []string // folders of what monitors are to remove
	RemoveDiscarded()
}

// Networks removes those that no container is on, and returns their names.
type Networks interface {
	Prune(ctx context.Context, filters []string) ([]string, []error)
}

// Keepers lets go of images that no container is made from.
type Keepers interface {
	Release(ctx context.Context, imageID string) error
}

// Images is what the system needs of the images' service.
type Images interface {
	List(ctx context.Context, o define.ImageListOptions) ([]define.ImageSummary, error)
	Remove(ctx context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error)
	Prune(ctx context.Context, o define.ImagePruneOptions) ([]define.ImagePruneReport, []error)
}

// Registries is what the system needs of the registries' service.
type Registries interface {
	Sources(ctx context.Context) (*transfer.Sources, error)
}

// Definitions are those of networks.
type Definitions interface {
	// List returns the networks, and an error for each file that is broken.
	List(ctx context.Context) (all []network.Network, broken []error, err error)
}

// Dirs are the folders of the engine; libpod/containers draws what lies in them.
type Dirs struct {
	Static   string // GRAPHROOT/hull
	Volatile string // RUNTIMEDIR/KEY
	Volumes  string // of named volumes
}

// Service acts on the engine as a whole. Its fields do not change after the engine has set them.
type Service struct {
	State       *state.Store
	Layers      *layers.Store
	Containers  Containers
	Unused      Unused
	Networks    Networks
	Keepers     Keepers
	Images      Images
	Registries  Registries
	Definitions Definitions
	Config      *config.Config
	Events      *events.Log
	Net         *wire.Client
	Dirs        Dirs
	Root        bool // no user namespace: the user is root on the host
}

func (s *Service) staticDir(id string) string { return filepath.Join(s.Dirs.Static, "containers", id) }

func short(id string) string { return id[:min(12, len(id))] }
