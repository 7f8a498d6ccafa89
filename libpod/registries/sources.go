package registries

import (
	"context"

	"hull.dev/hull/pkg/transfer"
)

// Sources tells which files say how registries are reached, what short names mean and which images are let in, and what
// holds where there is no file.
func (s *Service) Sources(ctx context.Context) (*transfer.Sources, error) {
	result, err := s.Transfer.Run(ctx, transfer.Request{Op: transfer.OpSources}, nil, nil)
	return result.Sources, err
}
