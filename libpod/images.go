package libpod

import (
	"context"
	"errors"

	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/rootless"
	"hull.dev/hull/pkg/transfer"
)

// newImages makes the service for images.
func newImages(e *Engine, o Options) *images.Service {
	return images.New(images.Config{
		Layers: e.Layers, Transfer: newTransfer(o.Config), Containers: containersOf{e}, HelloPath: helloPath(o.Config),
		Emit: func(event define.Event) { e.Events.Write(event) }, Warn: o.Warn,
	})
}

// newTransfer starts hull-image for jobs that need it.
func newTransfer(c *config.Config) *transfer.Client {
	path, err := c.FindHelper("hull-image")
	if err != nil {
		path = "" // a job says that it is missing
	}
	client := &transfer.Client{Path: path}
	if len(c.Engine.Env.Values) == 0 { // else the one that was executed before these were set lacks them
		client.Early = early
	}
	return client
}

// early is the hull-image that was executed before Go began.
func early() *transfer.Started {
	h := rootless.TakeHelper("hull-image")
	if h == nil {
		return nil
	}
	return &transfer.Started{Path: h.Path, PID: h.PID, Socket: h.Socket, Stderr: h.Stderr}
}

// helloPath is the program of the built-in image, "" when it is not installed.
func helloPath(c *config.Config) string {
	path, err := c.FindHelper("hull-hello")
	if err != nil {
		return ""
	}
	return path
}

// containersOf is what images need of the containers, whose service is made after theirs.
type containersOf struct{ engine *Engine }

func (c containersOf) Remove(ctx context.Context, ref string, o define.RemoveOptions) error {
	return c.engine.Containers.Remove(ctx, ref, o)
}

func (c containersOf) ReleaseImage(ctx context.Context, imageID string) error {
	return keepersOf(c.engine).Release(ctx, imageID)
}

// keepersOf keeps the images of the engine's containers.
func keepersOf(e *Engine) *containers.Keepers {
	return &containers.Keepers{State: e.state, Layers: e.Layers, Locks: e.Containers.Locks()}
}

func (c containersOf) UsingImage(ctx context.Context, imageID string) ([]string, error) {
	return c.engine.state.UsingImage(ctx, imageID)
}

func (c containersOf) UsedImages(ctx context.Context) (map[string]int, error) {
	return c.engine.state.UsedImages(ctx)
}

// imagesOf is what containers need of the images.
type imagesOf struct{ *images.Service }

// RemoveUnused removes an image unless something uses it.
func (i imagesOf) RemoveUnused(ctx context.Context, id string) error {
	_, failed := i.Remove(ctx, []string{id}, define.ImageRemoveOptions{})
	for _, err := range failed {
		if !errs.IsConflict(err) && !errs.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// RemoveName removes a name, and the image with its last one.
func (i imagesOf) RemoveName(ctx context.Context, name string) error {
	_, failed := i.Remove(ctx, []string{name}, define.ImageRemoveOptions{})
	return errors.Join(failed...)
}
