package images

import (
	"context"
	"fmt"
	"os"
	"strings"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// SignOptions is what podman-image-sign(1) can be asked for.
type SignOptions struct {
	transfer.Sign // References are the service's; Directory may be relative
	Access        transfer.Access
}

// Sign signs images where they are with a key of gpg's, and writes the signatures to files. Those of images before one that
// fails stay.
func (s *Service) Sign(ctx context.Context, refs []string, o SignOptions) error {
	if o.Key == "" {
		return errs.WithHint(errs.Invalid("please provide an identity"), "--sign-by names a key of gpg's")
	}
	r := s.request(transfer.OpSign)
	r.Sign, r.Source = o.Sign, strings.Join(refs, " ")
	if o.Directory != "" {
		if _, err := os.Stat(o.Directory); err != nil {
			return fmt.Errorf("--directory: %w", err)
		}
		if err := transfer.Absolute(&r.Sign.Directory); err != nil {
			return err
		}
	}
	for _, ref := range refs {
		if transport, _, _ := strings.Cut(ref, ":"); transfer.IsPathTransport(transport) {
			var err error
			if ref, err = absoluteDestination(ref); err != nil {
				return err
			}
		}
		r.Sign.References = append(r.Sign.References, ref)
	}
	var err error
	if r.Access, err = absoluteAccess(o.Access); err != nil {
		return err
	}
	_, err = s.transfer.Run(ctx, r, nil, nil)
	return err
}
