package images

import (
	"context"
	"os"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// Inspect returns all that is known of an image: one of the store or, with a transport before it, one elsewhere, which is
// not fetched. Elsewhere an image has no names but the one that is asked for, no folders, and its size is that of its
// layers as they are there.
func (s *Service) Inspect(ctx context.Context, ref string) (define.ImageInspect, error) {
	if transport, name, ok := strings.Cut(ref, ":"); ok && transfer.IsTransport(transport) {
		if transport != "containers-storage" || strings.HasPrefix(name, "[") { // elsewhere, or in another store
			return s.inspectRemote(ctx, ref)
		}
		ref = name
	}
	img, _, err := s.image(ctx, ref)
	if err != nil {
		return define.ImageInspect{}, err
	}
	c, err := s.layers.Config(ctx, img)
	if err != nil {
		return define.ImageInspect{}, err
	}
	f, err := s.ancestry(ctx, img)
	if err != nil {
		return define.ImageInspect{}, err
	}
	size, _, err := f.Size(img)
	if err != nil {
		return define.ImageInspect{}, err
	}
	driver, data, err := s.layers.LayerData(ctx, img.TopLayer)
	if err != nil {
		return define.ImageInspect{}, err
	}
	out := inspected(img, c, size)
	out.GraphDriver = &define.ImageGraphDriver{Name: driver, Data: data}
	if m := f.find(img.ID); m != nil {
		out.Parent = m.parent
	}
	return out, nil
}

// inspectRemote is Inspect of what hull-image finds by its transport.
func (s *Service) inspectRemote(ctx context.Context, ref string) (define.ImageInspect, error) {
	r := s.request(transfer.OpInspect)
	r.Pull.Reference, r.Access.AuthFile = ref, os.Getenv("REGISTRY_AUTH_FILE")
	err := transfer.Absolute(&r.Access.AuthFile)
	if transport, _, _ := strings.Cut(ref, ":"); err == nil && transfer.IsPathTransport(transport) {
		r.Pull.Reference, err = absoluteDestination(ref)
	}
	if err != nil {
		return define.ImageInspect{}, err
	}
	result, err := s.transfer.Run(ctx, r, nil, nil)
	if err != nil {
		return define.ImageInspect{}, err
	}
	found := result.Remote
	img := layers.Image{ID: found.ID, Digests: found.Digests}
	if len(found.Digests) > 0 {
		img.Digest = found.Digests[0]
	}
	if found.Name != "" {
		img.Names = []string{found.Name}
	}
	c, err := layers.ParseConfig(found.ID, found.Manifest, found.Config)
	if err != nil {
		return define.ImageInspect{}, err
	}
	out := inspected(img, c, found.Size)
	out.GraphDriver = &define.ImageGraphDriver{}
	return out, nil
}

// inspected is what an image's record, config and size tell.
func inspected(img layers.Image, c layers.Config, size int64) define.ImageInspect {
	out := define.ImageInspect{
		ID: img.ID, Digest: img.Digest, RepoTags: notNil(tagged(img)), RepoDigests: repoDigests(img), Comment: comment(c), Created: c.Created,
		Version: c.DockerVer, Author: c.Author, Architecture: c.Architecture, Os: c.OS, Size: size, VirtualSize: size,
		RootFS: &define.ImageRootFS{Type: c.RootFS.Type, Layers: c.RootFS.DiffIDs},
		Labels: c.Config.Labels, Annotations: c.Annotations, ManifestType: c.ManifestType, User: c.Config.User,
		NamesHistory: img.NamesHistory,
		Config: &define.ImageInspectConf{
			User: c.Config.User, ExposedPorts: c.Config.ExposedPorts, Env: c.Config.Env, Entrypoint: c.Config.Entrypoint,
			Cmd: c.Config.Cmd, Volumes: c.Config.Volumes, WorkingDir: c.Config.WorkingDir, Labels: c.Config.Labels,
			StopSignal: c.Config.StopSignal,
		},
	}
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	if h := c.Config.Healthcheck; h != nil {
		out.HealthCheck = &define.ImageHealthCheck{
			Test: h.Test, StartPeriod: h.StartPeriod, Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries,
		}
	}
	for _, h := range c.History {
		out.History = append(out.History, define.ImageHistoryStep(h))
	}
	return out
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// History returns the steps that made the image, newest first.
func (s *Service) History(ctx context.Context, ref string) ([]define.ImageHistoryLayer, error) {
	img, _, err := s.image(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, err := s.layers.Config(ctx, img)
	if err != nil {
		return nil, err
	}
	f, err := s.family(ctx)
	if err != nil {
		return nil, err
	}
	chain := f.Layers(img.TopLayer)
	var out []define.ImageHistoryLayer
	for i, h := range slices.Backward(c.History) {
		step := define.ImageHistoryLayer{ID: "<missing>", CreatedBy: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			step.Created = *h.Created
		}
		if i == len(c.History)-1 {
			step.ID = img.ID
		} else if m := f.endsWith(c, i+1); m != nil {
			step.ID = m.ID
		}
		if !h.EmptyLayer {
			if len(chain) == 0 {
				return nil, errs.Invalid("image %q: its history has more layers than the image", ref)
			}
			step.Size, chain = max(0, chain[0].Size), chain[1:]
		}
		out = append(out, step)
	}
	return out, nil
}

// endsWith finds the image that consists of the first steps of c.
func (f *family) endsWith(c layers.Config, steps int) *member {
	for i := range f.members {
		if m := &f.members[i]; len(m.config.History) == steps && isParent(m.config, c) {
			return m
		}
	}
	return nil
}
