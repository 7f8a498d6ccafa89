package containers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/spread"
)

func isNotFound(err error) bool { return errdefs.IsNotFound(err) }

// Create makes a container and returns it. Everything that can be wrong in o is told before the disk is touched.
func (s *Service) Create(ctx context.Context, o define.CreateOptions) (*define.ContainerConfig, error) {
	c, err := s.create(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	c.lock.Unlock()
	return &c.Config, nil
}

// create is Create; the new container comes with its lock, so that run can start it before anyone else sees it. With start
// its monitor comes up meanwhile, and the container has a launch, which must be closed.
func (s *Service) create(ctx context.Context, o define.CreateOptions, start *StartOptions) (*locked, error) {
	s.Layers.Prepare()
	if err := s.mendUnfinished(ctx); err != nil {
		return nil, err
	}
	if o.CIDFile != "" {
		if _, err := os.Lstat(o.CIDFile); err == nil {
			return nil, errs.WithHint(errs.Exists("the container id file %q exists", o.CIDFile), "remove it, or name another with --cidfile")
		}
	}
	plan, err := s.plan(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.Replace {
		if err := s.makeRoom(ctx, o.Name, plan); err != nil {
			return nil, err
		}
	}
	return s.carryOut(ctx, plan, start)
}

// makeRoom removes the container that a plan with --replace takes the name of.
func (s *Service) makeRoom(ctx context.Context, name string, p *plan) error {
	holder, err := s.State.Holder(ctx, name)
	if err != nil || holder == nil {
		return err
	}
	if slices.Contains(p.dependsOn, holder.Config.ID) {
		return errs.Conflict("container %q cannot be replaced by one that shares its volumes or namespaces", name)
	}
	zero := uint(0)
	err = s.Remove(ctx, holder.Config.ID, define.RemoveOptions{Force: true, Timeout: &zero})
	if isNotFound(err) {
		return nil
	}
	return err
}

// plan is a container that is about to be made: what resolve came to.
type plan struct {
	config    *define.ContainerConfig
	dependsOn []string
	auto      *layers.AutoIDs
}

// carryOut makes the row, the folder, the layer, in this order: what a dead process left is found by the row.
func (s *Service) carryOut(ctx context.Context, p *plan, start *StartOptions) (c *locked, err error) {
	var l *launch
	if start != nil {
		l = s.spawn(*start, p.config.Options.PreserveFDs, p.config.Options.LogDriver)
		if opensNetwork(p.config) && ownedByEngine(p.config) {
			l.netns = netns.Make()
		}
	}
	defer func() {
		if err != nil {
			l.close(ctx)
		}
	}()
	id := p.config.ID
	lock, err := s.locks().TryLock(id)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Remove()
		}
	}()
	if err := s.reserve(ctx, p); err != nil {
		return nil, err
	}
	c = &locked{Container: &state.Container{Config: *p.config, Life: state.Life{Intent: state.IntentCreate}}, lock: lock, launch: l}
	failpoint.Hit("create/reserved")
	err = spread.MkdirAll(s.staticDir(id), 0o700)
	failpoint.Hit("create/folder")
	if err == nil && start != nil {
		err = l.begin(s, c, *start)
		failpoint.Hit("create/begun")
	}
	if err == nil {
		err = s.build(ctx, c, p)
	}
	if err != nil {
		l.close(ctx)
		undo, cancel := cleanup.Context(ctx)
		defer cancel()
		return nil, errors.Join(err, s.dismantle(undo, c))
	}
	s.event(&c.Config, "create", nil)
	return c, nil
}

// reserve inserts the row; with a generated name that is taken, again under another. A name that was given may be held by
// a container that only waits for its removal, because its --rm died: that is done first.
func (s *Service) reserve(ctx context.Context, p *plan) error {
	release, err := s.holdNetworks(ctx, p.config)
	if err != nil {
		return err
	}
	defer release()
	generated := p.config.Name == ""
	for try := 0; ; try++ {
		if generated {
			p.config.Name = randomName(try)
			if s.Config.Containers.ContainerNameAsHostname && p.config.Options.Hostname == "" && p.config.Options.UTS != "host" {
				p.config.Hostname = p.config.Name
			}
		}
		err := s.State.AddContainer(ctx, state.Reservation{
			Config: p.config, DependsOn: p.dependsOn, Volumes: s.volumesOf(p.config),
		})
		switch {
		case err == nil:
			return nil
		case generated && errdefs.IsAlreadyExists(err) && try < 100:
			continue
		case errdefs.IsAlreadyExists(err) && try == 0:
			if err := s.mendHolder(ctx, p.config.Name); err != nil {
				return err
			}
			continue
		case errdefs.IsAlreadyExists(err):
			return s.explainTaken(ctx, p.config.Name, err)
		}
		return err
	}
}

// mendHolder brings the container that holds a name into order, which may end it. One that another command is removing is
// waited for.
func (s *Service) mendHolder(ctx context.Context, name string) error {
	holder, err := s.State.Holder(ctx, name)
	if err != nil || holder == nil {
		return err
	}
	run, err := s.State.GetRun(ctx, holder.Config.ID)
	if err != nil {
		return err
	}
	status := s.view(holder, run).Status
	if status != define.StatusRemoving && !(status == define.StatusExited && holder.Config.Options.Remove) {
		return s.mendOne(ctx, holder.Config.ID)
	}
	c, err := s.lock(ctx, holder.Config.ID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.lock.Unlock()
	if err := s.mend(ctx, c); err != nil && !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// explainTaken says what holds a name, in which state and since when.
func (s *Service) explainTaken(ctx context.Context, name string, err error) error {
	holder, lookErr := s.State.Holder(ctx, name)
	if lookErr != nil || holder == nil {
		return err
	}
	run, lookErr := s.State.GetRun(ctx, holder.Config.ID)
	if lookErr != nil {
		return err
	}
	v := s.view(holder, run)
	return errs.WithHint(
		errs.Exists("the name %q is taken by container %s, %s, made %s", name, short(holder.Config.ID), v.Status, holder.Config.Created.Format(time.DateTime)),
		"hull rm %s removes it; with --replace it is replaced", name,
	)
}

// build makes what the row says; the row is then without an intent, or with that to run and remove it.
func (s *Service) build(ctx context.Context, c *locked, p *plan) error {
	o := &c.Config.Options
	if !o.Rootfs {
		made, err := s.makeLayer(ctx, c, p)
		if err != nil {
			return err
		}
		c.Config.LayerID, c.Config.MountLabel, c.Config.ProcessLabel = made.LayerID, made.MountLabel, made.ProcessLabel
		if p.auto != nil && made.IDMap != nil {
			c.Config.IDMap = &define.IDMap{UIDs: ranges(made.IDMap.UIDs), GIDs: ranges(made.IDMap.GIDs)}
		}
	}
	failpoint.Hit("create/layer")
	for _, v := range c.Config.Volumes {
		if err := os.MkdirAll(s.mountpoint(v.Name), 0o755); err != nil {
			return fmt.Errorf("make volume %q: %w", v.Name, err)
		}
	}
	failpoint.Hit("create/volumes")
	next := state.IntentNone
	if c.launch != nil && o.Remove {
		next = state.IntentRun
	}
	if err := s.State.UpdateContainer(ctx, &c.Config, next); err != nil {
		return err
	}
	c.Intent = next
	failpoint.Hit("create/made")
	if o.CIDFile == "" {
		return nil
	}
	if err := atomicfile.Write(o.CIDFile, []byte(c.id())); err != nil {
		return errs.WithHint(err, "name another file with --cidfile")
	}
	return nil
}

// makeLayer makes the container's layer while nobody can release the image.
func (s *Service) makeLayer(ctx context.Context, c *locked, p *plan) (layers.Container, error) {
	l, err := s.keepers().hold(ctx, c.Config.ImageID)
	if err != nil {
		return layers.Container{}, err
	}
	defer l.Unlock()
	return s.Layers.CreateContainer(ctx, layers.CreateOptions{
		ID: c.id(), ImageID: c.Config.ImageID, IDMap: layerMap(c.Config.IDMap), Auto: p.auto, Volatile: c.Config.Options.Remove,
	})
}

func layerMap(m *define.IDMap) *layers.IDMap {
	if m == nil {
		return nil
	}
	convert := func(in []define.IDRange) []layers.IDRange {
		out := make([]layers.IDRange, len(in))
		for i, r := range in {
			out[i] = layers.IDRange(r)
		}
		return out
	}
	return &layers.IDMap{UIDs: convert(m.UIDs), GIDs: convert(m.GIDs)}
}

func ranges(in []layers.IDRange) []define.IDRange {
	out := make([]define.IDRange, len(in))
	for i, r := range in {
		out[i] = define.IDRange(r)
	}
	return out
}

// newID returns 64 random hexadecimal digits, never all decimal in its first twelve: a short id must not read as a
// number.
func newID() string {
	var b [32]byte
	for {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		id := hex.EncodeToString(b[:])
		for i := range 12 {
			if id[i] > '9' {
				return id
			}
		}
	}
}

// dismantle undoes a create and finishes a removal, in the opposite order of build. Each step is content with what is
// gone already, so it can be done again after a kill anywhere in it.
func (s *Service) dismantle(ctx context.Context, c *locked) error {
	if err := s.deleteLayer(ctx, c); err != nil {
		return err
	}
	failpoint.Hit("rm/layer")
	if err := os.RemoveAll(s.staticDir(c.id())); err != nil {
		return err
	}
	if err := s.removeDir(c); err != nil {
		return err
	}
	failpoint.Hit("rm/folders")
	var gone []string
	if c.dropVolumes() {
		var err error
		if gone, err = s.removeAnonymous(ctx, c); err != nil {
			return err
		}
	}
	failpoint.Hit("rm/volumes")
	if err := s.keepers().forget(ctx, c, gone); err != nil {
		return err
	}
	failpoint.Hit("rm/row")
	c.lock.Remove()
	return nil
}

// layered reports whether there is something of a container's in pkg/layers.
func layered(c *define.ContainerConfig) bool { return !c.Options.Rootfs || c.Options.RootfsOverlay }

// deleteLayer takes the container's layer away, once.
func (s *Service) deleteLayer(ctx context.Context, c *locked) error {
	if c.layerless || !layered(&c.Config) {
		return nil
	}
	remove := s.Layers.Delete
	if c.aside {
		remove = s.Layers.SetAside
	}
	if err := remove(ctx, c.id()); err != nil {
		return fmt.Errorf("remove the layer of container %s: %w", short(c.id()), err)
	}
	c.layerless = true
	return nil
}

// dropVolumes reports whether the anonymous volumes go with the container: with --rm, with rm -v, and with a create that
// did not end well.
func (c *locked) dropVolumes() bool {
	return c.Config.Options.Remove || c.Intent == state.IntentCreate || c.Intent == state.IntentRemoveVolumes
}
