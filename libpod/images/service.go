// Package images is the engine's service for images: what is in the store, what it is called, and how it gets in and
// out. The store is shared with podman: what is said about an image here, podman says too.
package images

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/transfer"
)

// Transfer does jobs that need hull-image; transfer.Client is the one.
type Transfer interface {
	Run(ctx context.Context, r transfer.Request, stdin *os.File, progress func(transfer.Progress)) (transfer.Result, error)
	// Ahead begins with what the next Run needs; release ends what no Run has asked for.
	Ahead() (release func())
}

// Containers is what images need of hull's containers.
type Containers interface {
	// UsingImage returns the ids of the containers that are made from an image.
	UsingImage(ctx context.Context, imageID string) ([]string, error)
	// UsedImages returns of each image how many containers are made from it, unless that is none.
	UsedImages(ctx context.Context) (map[string]int, error)
	// ReleaseImage has the store know that no container is made from the image, where that is so.
	ReleaseImage(ctx context.Context, imageID string) error
	// Remove removes a container with all that belongs to it; rmi --force needs it.
	Remove(ctx context.Context, ref string, o define.RemoveOptions) error
}

// Service has the acts on images.
type Service struct {
	layers     *layers.Store
	transfer   Transfer
	containers Containers
	hello      string
	emit       func(define.Event)
	warn       func(string)
}

// Config is what a Service needs. All but HelloPath, Emit and Warn must be there.
type Config struct {
	Layers     *layers.Store
	Transfer   Transfer
	Containers Containers
	HelloPath  string             // the program of the built-in image; "" when it is not installed
	Emit       func(define.Event) // nil: nobody listens
	Warn       func(string)       // nil: likewise
}

// New makes the service. It does not open the store.
func New(c Config) *Service {
	if c.Emit == nil {
		c.Emit = func(define.Event) {}
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	return &Service{c.Layers, c.Transfer, c.Containers, c.HelloPath, c.Emit, c.Warn}
}

// request is a job on this service's store.
func (s *Service) request(op string) transfer.Request {
	return transfer.Request{Op: op, Store: transfer.Store{
		Root: s.layers.GraphRoot(), RunRoot: s.layers.RunRoot(), Driver: s.layers.FixedDriver(),
		DriverOptions: s.layers.DriverOptions(), ImageStore: s.layers.ImageStore(),
	}}
}

func (s *Service) event(status, id, name string) {
	s.emit(define.Event{Time: time.Now(), Type: "image", Status: status, ID: id, Name: name})
}

// Exists reports whether ref means an image.
func (s *Service) Exists(ctx context.Context, ref string) (bool, error) {
	_, _, err := s.image(ctx, ref)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Tag gives the image more names. A short name is completed with localhost/, and latest is the tag if there is none; an
// image that had a name loses it.
func (s *Service) Tag(ctx context.Context, ref string, names []string) error {
	img, _, err := s.layers.Image(ctx, ref)
	if err != nil {
		return err
	}
	full := make([]string, 0, len(names))
	for _, n := range names {
		name, err := reference.NormalizeLocal(n)
		if err != nil {
			return err
		}
		if name.Digest != "" {
			return errs.Invalid("%s: a tag is a name and a tag, not a digest", n)
		}
		full = append(full, name.String())
	}
	if err := s.layers.AddNames(ctx, img.ID, full...); err != nil {
		return err
	}
	for _, n := range full {
		s.event("tag", img.ID, n)
	}
	return nil
}

// Untag takes names from an image, all of them when none is given. A name that it does not have is an error.
func (s *Service) Untag(ctx context.Context, ref string, names []string) error {
	img, _, err := s.layers.Image(ctx, ref)
	if err != nil {
		return err
	}
	gone := slices.Clone(img.Names)
	if len(names) > 0 {
		gone = nil
	}
	for _, n := range names {
		name, err := reference.NormalizeLocal(n)
		if err != nil {
			return err
		}
		if !slices.Contains(img.Names, name.String()) {
			return errs.NotFound("%s: tag not known", name)
		}
		gone = append(gone, name.String())
	}
	if len(gone) == 0 {
		return nil
	}
	if err := s.layers.RemoveNames(ctx, img.ID, gone...); err != nil {
		return err
	}
	for _, n := range gone {
		s.event("untag", img.ID, n)
	}
	return nil
}
