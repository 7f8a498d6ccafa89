package images

import (
	"context"
	"slices"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// policies are the values of --pull (podman-run(1)).
var policies = []string{"always", "missing", "never", "newer"}

// Resolve finds the image for a new container: the local one, and for "hello" the built-in one when there is no other.
// The name is the one that was found. It fetches nothing: who has a user to show the progress to has called Pull with
// the policy before. An image that is not there is ErrNotFound.
func (s *Service) Resolve(ctx context.Context, ref, policy string) (define.Image, string, error) {
	if policy == "" {
		policy = "missing"
	}
	if !slices.Contains(policies, policy) {
		return define.Image{}, "", errs.Invalid("unsupported pull policy %q%s", policy, errs.DidYouMean(policy, policies))
	}
	img, name, err := s.image(ctx, ref)
	switch {
	case errdefs.IsNotFound(err) && policy != "never" && isHello(ref):
		if err := s.EnsureHello(ctx); err != nil {
			return define.Image{}, "", err
		}
		img, name, err = s.image(ctx, ref)
	case errdefs.IsNotFound(err) && policy != "never":
		err = errs.WithHint(err, "hull pull %s fetches it", ref)
	}
	if err != nil {
		return define.Image{}, "", err
	}
	config, err := s.layers.Config(ctx, img)
	if err != nil {
		return define.Image{}, "", err
	}
	return record(img, config), name, nil
}

// EnsureHello puts the built-in image into the store.
func (s *Service) EnsureHello(ctx context.Context) error {
	if s.hello == "" {
		return errs.NotFound("the program of the built-in image, hull-hello, is not installed beside hull")
	}
	r := s.request(transfer.OpHello)
	r.HelloPath, r.Source = s.hello, "hello"
	result, err := s.transfer.Run(ctx, r, nil, nil)
	if err != nil {
		return err
	}
	for _, img := range result.Images {
		s.event("pull", img.ID, "localhost/hello:latest")
	}
	return nil
}

func isHello(ref string) bool {
	return slices.Contains([]string{"hello", "hello:latest", "localhost/hello", "localhost/hello:latest"}, ref)
}
