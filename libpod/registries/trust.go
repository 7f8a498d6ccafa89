package registries

import (
	"context"
	"path/filepath"
	"strings"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// TrustTypes are what SetTrust takes, and whether it takes keys.
var TrustTypes = map[string]bool{"accept": false, "reject": false, "signedBy": true, "sigstoreSigned": true}

// Trust says which images policy.json lets in: from everywhere, or from a registry or a part of one.
func (s *Service) Trust(ctx context.Context, scope string) (transfer.TrustReport, error) {
	result, err := s.Transfer.Run(ctx, transfer.Request{Op: transfer.OpTrustShow, Trust: transfer.Trust{Scope: scope}}, nil, nil)
	return result.Trust, err
}

// SetTrust changes what is wanted of images of a registry, a part of one, or by default. A user changes a file of the
// user's, root the machine's.
func (s *Service) SetTrust(ctx context.Context, t transfer.Trust) error {
	takesKeys, ok := TrustTypes[t.Type]
	switch {
	case !ok:
		return errs.Invalid("invalid choice: %s (choose from 'accept', 'reject', 'signedBy', 'sigstoreSigned')", t.Type)
	case takesKeys && len(t.Keys) == 0:
		return errs.WithHint(errs.Invalid("at least one public key must be defined for type '%s'", t.Type), "--pubkeysfile names it")
	case !takesKeys && len(t.Keys) > 0:
		return errs.Invalid("%d public keys unexpectedly provided for trust type %s", len(t.Keys), t.Type)
	case strings.HasPrefix(t.Scope, "*."), strings.Contains(t.Scope, "://"):
		return errs.WithHint(errs.Invalid("invalid image uri: %s", t.Scope), "write HOST[:PORT][/PATH], or default")
	}
	keys := make([]string, 0, len(t.Keys))
	for _, path := range t.Keys {
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		keys = append(keys, path)
	}
	t.Keys = keys
	_, err := s.Transfer.Run(ctx, transfer.Request{Op: transfer.OpTrustSet, Trust: t}, nil, nil)
	return err
}
