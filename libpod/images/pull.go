package images

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// PullOptions is what podman-pull(1) can be asked for, and podman-run(1) of the image.
type PullOptions struct {
	transfer.Pull // Reference, Local and the choice are the service's
	Access        transfer.Access
	Policy        string // always, missing, never, newer; "" is always
	Progress      func(transfer.Progress)

	// Choose asks the user which of the candidates the short name means; nil: there is nobody to ask.
	Choose func(ctx context.Context, name string, candidates []string) (string, error)
}

// Pull fetches what ref names, by the policy, and returns the ids: of several images only with AllTags or an archive that
// has them. ErrNotFound when the registry does not have it, or it is not here and the policy is never;
// ErrPermissionDenied when the registry, the user's policy.json or registries.conf say no.
func (s *Service) Pull(ctx context.Context, ref string, o PullOptions) ([]string, error) {
	ids, err := s.pull(ctx, ref, o)
	if err != nil || o.OS+o.Arch+o.Variant == "" {
		return ids, err
	}
	for _, id := range ids { // a registry without a list for platforms gives what it has
		img, err := s.layers.ImageByID(ctx, id)
		if err != nil {
			return nil, err
		}
		c, err := s.layers.Config(ctx, img)
		if err == nil && !suits(c, o) {
			s.warn(fmt.Sprintf("image %s is for %s and not for %s, which was asked for", ref, platform(c.OS, c.Architecture, c.Variant),
				platform(cmp.Or(o.OS, "linux"), cmp.Or(o.Arch, runtime.GOARCH), o.Variant)))
		}
	}
	return ids, nil
}

func platform(parts ...string) string { return strings.TrimRight(strings.Join(parts, "/"), "/") }

func (s *Service) pull(ctx context.Context, ref string, o PullOptions) ([]string, error) {
	if o.Policy == "" {
		o.Policy = "always"
	}
	if !slices.Contains(policies, o.Policy) {
		return nil, errs.Invalid("unsupported pull policy %q%s", o.Policy, errs.DidYouMean(o.Policy, policies))
	}
	if o.Policy == "always" || o.Policy == "newer" {
		defer s.transfer.Ahead()()
	}
	transport, details, ok := strings.Cut(ref, ":")
	switch {
	case ok && transfer.IsPathTransport(transport):
		if !filepath.IsAbs(details) {
			dir, err := os.Getwd()
			if err != nil {
				return nil, err
			}
			details = filepath.Join(dir, details)
		}
		o.Reference = transport + ":" + details
		return s.fetch(ctx, o)
	case ok && transfer.IsTransport(transport) && transport != "docker":
		o.Reference = ref
		return s.fetch(ctx, o)
	}
	name := strings.TrimPrefix(ref, "docker://")
	if o.AllTags {
		o.Reference = ref
		return s.fetch(ctx, o)
	}
	return s.pullName(ctx, ref, name, o)
}

// pullName fetches an image by name, unless the policy is content with the one that is here. If there is one, its full
// name is the one that is fetched: a short name means what is here before it means what is elsewhere.
func (s *Service) pullName(ctx context.Context, ref, name string, o PullOptions) ([]string, error) {
	img, full, err := s.image(ctx, name)
	here := err == nil
	if err != nil && !errdefs.IsNotFound(err) {
		return nil, err
	}
	if isHello(name) && !here && o.Policy != "never" {
		if err := s.EnsureHello(ctx); err != nil {
			return nil, err
		}
		img, _, err = s.image(ctx, name)
		return []string{img.ID}, err
	}
	policy := o.Policy
	if o.OS+o.Arch+o.Variant != "" && policy == "missing" && here && !s.isFor(ctx, img, o) {
		policy = "newer"
	}
	byID := here && isID(img, full)
	switch {
	case !here && policy == "never":
		return nil, err
	case here && (policy == "never" || policy == "missing"):
		return []string{img.ID}, nil
	case byID && policy == "always":
		return nil, errs.WithHint(errs.Invalid("pull policy is always but image has been referred to by ID (%s)", name),
			"name the image to have it fetched, or --pull=missing takes it as it is")
	case byID, here && isHello(name):
		return []string{img.ID}, nil
	}
	o.Reference = ref
	if here {
		o.Reference = full
	}
	if here && policy == "newer" {
		o.Local = img.ID
	}
	ids, err := s.fetch(ctx, o)
	if err != nil && o.Local != "" && ctx.Err() == nil && s.isFor(ctx, img, o) { // podman-run(1): not an error when there is one
		if o.Progress != nil {
			o.Progress(transfer.Progress{Text: fmt.Sprintf("The local image is taken: %v", err)})
		}
		return []string{img.ID}, nil
	}
	return ids, err
}

// isFor reports whether the image is for the platform that is asked for.
func (s *Service) isFor(ctx context.Context, img layers.Image, o PullOptions) bool {
	c, err := s.layers.Config(ctx, img)
	return err == nil && suits(c, o)
}

func suits(c layers.Config, o PullOptions) bool {
	want := func(asked, machine, is string) bool { return is == "" || is == cmp.Or(asked, machine) }
	return want(o.OS, "linux", c.OS) && want(o.Arch, runtime.GOARCH, c.Architecture) && (o.Variant == "" || o.Variant == c.Variant)
}

// fetch runs the job, and runs it again with the user's choice when a short name was ambiguous.
func (s *Service) fetch(ctx context.Context, o PullOptions) ([]string, error) {
	r := s.request(transfer.OpPull)
	r.Pull, r.Access, r.Source = o.Pull, o.Access, o.Reference
	r.Pull.CanChoose = o.Choose != nil
	result, err := s.transfer.Run(ctx, r, nil, o.Progress)
	if err == nil && len(result.Candidates) > 0 && o.Choose != nil {
		if r.Pull.Chosen, err = o.Choose(ctx, o.Reference, result.Candidates); err != nil {
			return nil, err
		}
		result, err = s.transfer.Run(ctx, r, nil, o.Progress)
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, img := range result.Images {
		s.event("pull", img.ID, o.Reference)
		ids = append(ids, img.ID)
	}
	return ids, nil
}
