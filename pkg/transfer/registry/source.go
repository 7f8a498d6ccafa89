package registry

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/types"
)

// source shows a bundle to go.podman.io/image as an image to copy from.
type source struct {
	bundle *bundle
	job    *job
	quiet  bool // no line tells what is read
}

var (
	_ types.ImageReference = source{}
	_ types.ImageSource    = source{}

	errReadOnly = errors.New("an archive that is being loaded cannot be written")
)

// Transport is a name for policy.json and messages.
func (s source) Transport() types.ImageTransport {
	if s.bundle == nil || s.bundle.transport == "" {
		return transport{"archive"}
	}
	return transport{s.bundle.transport}
}

// StringWithinTransport is the archive, for messages.
func (s source) StringWithinTransport() string { return s.job.request.Source }

// DockerReference is nil: the names come after the copy.
func (source) DockerReference() reference.Named { return nil }

// PolicyConfigurationIdentity is the path of an OCI layout, which scopes of policy.json name; other archives have none.
func (s source) PolicyConfigurationIdentity() string {
	name := s.Transport().Name()
	if name != layout.Transport.Name() && name != ociarchive.Transport.Name() || s.job.request.Path == "" {
		return ""
	}
	path, err := filepath.EvalSymlinks(s.job.request.Path)
	if err != nil {
		return s.job.request.Path
	}
	return path
}

// PolicyConfigurationNamespaces are the folders that the path lies in, without the root.
func (s source) PolicyConfigurationNamespaces() []string {
	var all []string
	for path := s.PolicyConfigurationIdentity(); path != ""; {
		if path = filepath.Dir(path); path == "/" {
			break
		}
		all = append(all, path)
	}
	return all
}

// NewImage is what types.ImageReference asks for.
func (s source) NewImage(ctx context.Context, sys *types.SystemContext) (types.ImageCloser, error) {
	return image.FromSource(ctx, sys, s)
}

// NewImageSource is the source itself.
func (s source) NewImageSource(context.Context, *types.SystemContext) (types.ImageSource, error) {
	return s, nil
}

// NewImageDestination is an error.
func (source) NewImageDestination(context.Context, *types.SystemContext) (types.ImageDestination, error) {
	return nil, errReadOnly
}

// DeleteImage is an error.
func (source) DeleteImage(context.Context, *types.SystemContext) error { return errReadOnly }

// Reference is the source itself.
func (s source) Reference() types.ImageReference { return s }

// Close has nothing to close: the archive is open for longer than one image.
func (source) Close() error { return nil }

// GetManifest returns the bundle's only manifest.
func (s source) GetManifest(_ context.Context, instance *digest.Digest) ([]byte, string, error) {
	if instance != nil {
		return nil, "", fmt.Errorf("no manifest %s in the archive", *instance)
	}
	return s.bundle.manifest, s.bundle.mediaType, nil
}

// GetBlob opens a blob; reading it to its end checks size and digest.
func (s source) GetBlob(ctx context.Context, info types.BlobInfo, _ types.BlobInfoCache) (io.ReadCloser, int64, error) {
	b, ok := s.bundle.blobs[info.Digest]
	if !ok {
		return nil, 0, s.job.bad("%s is missing", info.Digest)
	}
	r, err := b.open()
	if err != nil {
		return nil, 0, err
	}
	what := "blob"
	if info.Digest == s.bundle.config {
		what = "config"
	}
	if !s.quiet {
		s.job.say(fmt.Sprintf("Copying %s %s", what, info.Digest))
	}
	return &checked{ctx, r, info.Digest, info.Digest.Algorithm().Hash(), s.job}, b.size, nil
}

// HasThreadSafeGetBlob is true: all reading is at offsets.
func (source) HasThreadSafeGetBlob() bool { return true }

// GetSignatures is empty; archives have none that are understood.
func (source) GetSignatures(context.Context, *digest.Digest) ([][]byte, error) { return nil, nil }

// LayerInfosForCopy is nil: the manifest says it all.
func (source) LayerInfosForCopy(context.Context, *digest.Digest) ([]types.BlobInfo, error) {
	return nil, nil
}

// checked is a blob on its way: it ends when the job does, and at its end it must have had the digest.
type checked struct {
	ctx  context.Context //nolint:containedctx // io.Reader has no place for it, and a copy of gigabytes must stop
	r    io.ReadCloser
	want digest.Digest
	hash hash.Hash
	job  *job
}

// Read reads on, and at the end of the blob is an error unless it is the blob that it should be.
func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := digest.NewDigest(c.want.Algorithm(), c.hash); got != c.want {
			return n, c.job.wrongDigest(c.want, got)
		}
	}
	return n, err
}

func (j *job) wrongDigest(named, got digest.Digest) error {
	return j.bad("wrong digest: the data named %s is %s", named, got)
}

// Close closes the blob.
func (c *checked) Close() error { return c.r.Close() }

// transport is a name alone.
type transport struct{ name string }

// Name is how messages begin.
func (t transport) Name() string { return t.name }

// ParseReference is an error: there are no references in words.
func (transport) ParseReference(string) (types.ImageReference, error) { return nil, errReadOnly }

// ValidatePolicyConfigurationScope is an error: policies cannot name this.
func (transport) ValidatePolicyConfigurationScope(string) error { return errReadOnly }
