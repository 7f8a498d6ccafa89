package registry

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/docker/reference"

	"hull.dev/hull/pkg/lockfile"
)

// whileSigning calls fn while no other hull with this runroot writes signatures of the repository's images. Whoever adds one
// reads those that are there, in the registry or in a folder that registries.d names, and writes them anew with it: of two at
// once one would be lost. nil is no repository. Inside of fn it only calls.
func (j *job) whileSigning(ctx context.Context, name reference.Named, fn func() error) error {
	if name == nil || j.signing {
		return fn()
	}
	repository := reference.TrimNamed(name).Name()
	dir := lockfile.Dir(filepath.Join(j.store.RunRoot(), "hull-signing"))
	key := digest.FromString(repository).Encoded()
	lock, err := dir.TryLock(key)
	if errors.Is(err, lockfile.ErrBusy) {
		j.say("Waiting for another command that signs in " + repository)
		lock, err = dir.Lock(ctx, key)
	}
	if err != nil {
		return err
	}
	j.signing = true
	defer func() { j.signing = false; lock.Remove() }()
	return fn()
}

// signsItself reports whether the library writes signatures when it copies the image: new ones of sigstore's, or those that
// the image has here.
func (j *job) signsItself() (bool, error) {
	p := &j.request.Push
	if p.SigstoreKey+p.SigstoreParameters != "" {
		return true, nil
	}
	if p.RemoveSignatures || p.ID == "" {
		return false, nil
	}
	store, err := j.store.Raw()
	if err != nil {
		return false, err
	}
	img, err := store.Image(p.ID)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(img.BigDataNames, func(key string) bool { return strings.HasPrefix(key, "signature") }), nil
}

// copying calls fn, which copies an image or artifact to the repository, alone where it writes signatures.
func (j *job) copying(ctx context.Context, name reference.Named, fn func() error) error {
	signs, err := j.signsItself()
	if err != nil {
		return err
	}
	if !signs {
		return fn()
	}
	return j.whileSigning(ctx, name, fn)
}
