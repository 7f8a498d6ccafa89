// Package artifacts is the engine's service for OCI artifacts: files in registries that are no images. What is on this
// machine is pkg/artifacts' work; hull-image moves them.
package artifacts

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"

	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// Transfer does jobs that need hull-image; transfer.Client is the one.
type Transfer interface {
	Run(ctx context.Context, r transfer.Request, stdin *os.File, progress func(transfer.Progress)) (transfer.Result, error)
}

// Service has the acts on artifacts: those of the store, and those that need a registry.
type Service struct {
	*artifacts.Store
	layers   *layers.Store
	transfer Transfer
}

// New makes the service. It does not touch the disk.
func New(l *layers.Store, t Transfer) *Service { return &Service{artifacts.At(l.GraphRoot()), l, t} }

// PullOptions is what podman-artifact-pull(1) can be asked for.
type PullOptions struct {
	transfer.Pull                         // Reference is the service's
	Access        transfer.Access         // paths may be relative
	Progress      func(transfer.Progress) // nil: quiet
}

// PushOptions is what podman-artifact-push(1) can be asked for.
type PushOptions struct {
	transfer.Push // what signs; paths may be relative
	Access        transfer.Access
	DigestFile    string                  // where the manifest's digest is written to, or ""
	Progress      func(transfer.Progress) // nil: quiet
}

// request is a job beside this service's store.
func (s *Service) request(op string) transfer.Request {
	return transfer.Request{Op: op, Store: transfer.Store{
		Root: s.layers.GraphRoot(), RunRoot: s.layers.RunRoot(), Driver: s.layers.FixedDriver(),
		DriverOptions: s.layers.DriverOptions(), ImageStore: s.layers.ImageStore(),
	}}
}

// Pull fetches an artifact from a registry and returns the digest of its manifest.
func (s *Service) Pull(ctx context.Context, ref string, o PullOptions) (digest.Digest, error) {
	r := s.request(transfer.OpArtifactPull)
	r.Pull, r.Access, r.Source = o.Pull, o.Access, ref
	r.Pull.Reference = ref
	if err := transfer.Absolute(&r.Access.AuthFile, &r.Access.CertDir); err != nil {
		return "", err
	}
	result, err := s.transfer.Run(ctx, r, nil, o.Progress)
	return digest.Digest(result.Digest), err
}

// Push sends an artifact to the registry of its name and returns the digest of its manifest.
func (s *Service) Push(ctx context.Context, ref string, o PushOptions) (_ digest.Digest, err error) {
	if _, err := s.Find(ctx, ref); err != nil { // asked here, so that the common mistake does not cost a process
		return "", err
	}
	r := s.request(transfer.OpArtifactPush)
	r.Push, r.Access, r.Source, r.Artifact = o.Push, o.Access, ref, ref
	if err := transfer.Absolute(&r.Access.AuthFile, &r.Access.CertDir, &r.Push.SigstoreKey, &r.Push.SigstoreParameters); err != nil {
		return "", err
	}
	var file *atomicfile.Pending
	if o.DigestFile != "" { // before the work, because it would be for nothing
		if file, err = atomicfile.New(o.DigestFile, 0o644); err != nil {
			return "", fmt.Errorf("--digestfile: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	result, err := s.transfer.Run(ctx, r, nil, o.Progress)
	if err == nil && file != nil {
		if _, err = file.WriteString(result.Digest); err == nil {
			err = file.Commit()
		}
	}
	return digest.Digest(result.Digest), err
}
