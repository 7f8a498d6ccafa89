package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// PushOptions is what podman-push(1) can be asked for.
type PushOptions struct {
	transfer.Push // ID and Destination are the service's; paths may be relative
	Access        transfer.Access
	DigestFile    string                  // where the manifest's digest is written to, or ""
	RemoveList    bool                    // of a list: it goes when it is pushed
	Progress      func(transfer.Progress) // nil: quiet
}

// Push copies an image to a registry, or where the destination's transport says, and returns the digest of the manifest
// that was written. Without a destination the image's name is where it goes. Of a list it is the image for this machine, and
// the whole list when that is asked for or the image is not here.
func (s *Service) Push(ctx context.Context, ref, destination string, o PushOptions) (_ string, err error) {
	defer s.transfer.Ahead()()
	img, name, err := s.pushed(ctx, ref, &o.Push)
	if err != nil {
		return "", err
	}
	if destination == "" {
		if isID(img, name) {
			return "", errs.WithHint(errs.Invalid("image %q is named by its id, which is not the name of a place", ref),
				"hull push %s REGISTRY/NAME:TAG", ref)
		}
		destination = name
	}
	r := s.request(transfer.OpPush)
	r.Push, r.Source = o.Push, destination
	r.Push.ID, r.Push.SignAs = img.ID, name
	if r.Push.Destination, err = absoluteDestination(destination); err != nil {
		return "", err
	}
	if r.Access, err = absoluteAccess(o.Access); err != nil {
		return "", err
	}
	if err := transfer.Absolute(&r.Push.SigstoreKey, &r.Push.SigstoreParameters); err != nil {
		return "", err
	}
	if r.Push.EncryptionKeys, err = absoluteKeys(o.EncryptionKeys); err != nil {
		return "", err
	}
	if o.SignBy+o.SigstoreKey+o.SigstoreParameters != "" && isID(img, name) && strings.HasPrefix(r.Push.Destination, "dir:") {
		return "", errs.WithHint(errs.Invalid("image %q is named by its id, and a name is what is signed", ref), "hull push NAME:TAG %s", destination)
	}
	if o.Compress && !strings.HasPrefix(r.Push.Destination, "dir:") {
		return "", errs.Invalid("--compress can only be set when the destination is dir:PATH")
	}
	var digestFile *output
	if o.DigestFile != "" { // before the work, because it would be for nothing
		if digestFile, err = openOutput(o.DigestFile); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, digestFile.drop()) }()
	}
	result, err := s.transfer.Run(ctx, r, nil, o.Progress)
	if err != nil {
		return "", err
	}
	s.event("push", img.ID, destination)
	failpoint.Hit("push/sent")
	if digestFile != nil {
		if _, err = digestFile.WriteString(result.Digest); err == nil {
			err = digestFile.commit()
		}
		if err != nil {
			return "", fmt.Errorf("write the digest to %q: %w", o.DigestFile, err)
		}
	}
	if o.RemoveList {
		_, failed := s.Remove(ctx, []string{img.ID}, define.ImageRemoveOptions{Force: true})
		return result.Digest, errors.Join(failed...)
	}
	return result.Digest, nil
}

// isID reports whether name, which led to img, is an id.
func isID(img layers.Image, name string) bool {
	return strings.HasPrefix(img.ID, strings.TrimPrefix(name, "sha256:"))
}

// pushed finds what is pushed, and says in o what it is.
func (s *Service) pushed(ctx context.Context, ref string, o *transfer.Push) (layers.Image, string, error) {
	img, name, err := s.layers.Image(ctx, ref)
	if err != nil {
		return img, name, err
	}
	list, err := s.isList(ctx, img)
	switch {
	case err != nil || list == o.List:
		return img, name, err
	case o.List:
		return img, name, notAList(name)
	}
	one, named, err := s.instance(ctx, img, name)
	if errdefs.IsNotFound(err) {
		o.List, o.AllImages = true, true
		return img, name, nil
	}
	return one, named, err
}

// absoluteDestination completes a name with the transport of registries, and makes the path of the others absolute,
// because hull-image works in another folder.
func absoluteDestination(text string) (string, error) {
	transport, details, ok := strings.Cut(text, ":")
	switch {
	case !ok || !transfer.IsTransport(transport):
		return "docker://" + text, nil
	case !transfer.IsPathTransport(transport):
		return text, nil
	}
	path, rest, tagged := strings.Cut(details, ":")
	if path == "" {
		return "", errs.Invalid("invalid destination %q: no path", text)
	}
	if err := transfer.Absolute(&path); err != nil {
		return "", err
	}
	if tagged {
		path += ":" + rest
	}
	return transport + ":" + path, nil
}

// absoluteKeys makes the paths of keys for encryption absolute: jwe:PATH and pkcs7:PATH have one.
func absoluteKeys(keys []string) ([]string, error) {
	var out []string
	for _, key := range keys {
		kind, path, _ := strings.Cut(key, ":")
		if kind == "jwe" || kind == "pkcs7" {
			if err := transfer.Absolute(&path); err != nil {
				return nil, err
			}
			key = kind + ":" + path
		}
		out = append(out, key)
	}
	return out, nil
}

// absoluteAccess has the paths absolute.
func absoluteAccess(a transfer.Access) (transfer.Access, error) {
	err := transfer.Absolute(&a.AuthFile, &a.CertDir)
	return a, err
}
