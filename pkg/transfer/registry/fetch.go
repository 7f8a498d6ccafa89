package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	encconfig "github.com/containers/ocicrypt/config"
	"github.com/containers/ocicrypt/helpers"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer"
)

// progressInterval is how often a blob tells how far it is.
const progressInterval = 200 * time.Millisecond

// fetch is one image on its way into the store: under a name, or, without one, under its id.
type fetch struct {
	src  types.ImageReference
	name reference.Named
	id   string
}

// fetch copies an image into the store and returns its id.
func (j *job) fetch(ctx context.Context, sys *types.SystemContext, f fetch) (id string, err error) {
	if same, err := j.unchanged(ctx, sys, f); same || err != nil {
		return j.request.Pull.Local, err
	}
	err = j.again(ctx, func() error {
		id, err = j.fetchOnce(ctx, sys, f)
		return err
	})
	return id, err
}

// unchanged reports whether the registry has what is here already (--pull=newer): it looks at the manifest's digest alone.
func (j *job) unchanged(ctx context.Context, sys *types.SystemContext, f fetch) (bool, error) {
	p := &j.request.Pull
	if p.Local == "" || f.name == nil {
		return false, nil
	}
	img, err := j.store.ImageByID(ctx, p.Local)
	if err != nil {
		return false, nil //nolint:nilerr // it went; then it is fetched
	}
	config, err := j.store.Config(ctx, img)
	if err != nil || p.Arch != "" && config.Architecture != p.Arch || p.OS != "" && config.OS != p.OS ||
		p.Variant != "" && config.Variant != p.Variant {
		return false, nil //nolint:nilerr // damaged, or of another machine: it is fetched
	}
	same := false
	err = j.again(ctx, func() error {
		d, err := docker.GetDigest(ctx, sys, f.src)
		same = err == nil && slices.Contains(img.Digests, d.String())
		return err
	})
	return same, err
}

func (j *job) fetchOnce(ctx context.Context, sys *types.SystemContext, f fetch) (_ string, err error) {
	store, err := j.store.Raw()
	if err != nil {
		return "", err
	}
	to, err := storage.Transport.NewStoreReference(store, f.name, f.id)
	if err != nil {
		return "", err
	}
	policy, err := policy(sys)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	keys, err := decryption(j.request.Pull.Keys)
	if err != nil {
		return "", err
	}
	j.stage.packed.Store(0)
	stop := j.guard("the image")
	made, err := j.copyIn(ctx, sys, f.src, policy, to, keys)
	if why := stop(); err != nil {
		if why != nil {
			err = why
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", err
	}
	failpoint.Hit("pull/copied")
	_, img, err := storage.ResolveReference(made)
	if err != nil {
		return "", fmt.Errorf("the image was pulled and is gone: %w", err)
	}
	return img.ID, nil
}

// copyIn fetches the layers ahead where that can be done, copies the rest, and returns what was made.
func (j *job) copyIn(ctx context.Context, sys *types.SystemContext, ref types.ImageReference, policy *signature.PolicyContext,
	to types.ImageReference, keys *encconfig.DecryptConfig,
) (made types.ImageReference, err error) {
	p, err := j.ahead(ctx, sys, ref, policy, to)
	defer func() { err = errors.Join(err, p.close()) }()
	if err != nil {
		return nil, err
	}
	if p.here != "" {
		j.say("Image is up to date")
		store, err := j.store.Raw()
		if err != nil {
			return nil, err
		}
		return storage.Transport.NewStoreReference(store, to.DockerReference(), p.here)
	}
	events, done := j.blobs(p.said)
	defer func() { close(events); <-done }()
	lines := &lineWriter{say: func(line string) {
		if !p.said[line] {
			j.say(line)
		}
	}}
	defer lines.end()
	_, err = copy.Image(ctx, policy, to, p.src, &copy.Options{
		SourceCtx: sys, DestinationCtx: sys, ReportWriter: lines, Progress: events, ProgressInterval: progressInterval,
		ReportResolvedReference: &made, OciDecryptConfig: keys,
		MaxParallelDownloads: j.request.Pull.Parallel,
	})
	return made, err
}

// decryption reads the keys of encrypted layers.
func decryption(keys []string) (*encconfig.DecryptConfig, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // the library's word for none
	}
	c, err := helpers.CreateCryptoConfig(nil, keys)
	if err != nil {
		return nil, fmt.Errorf("read the decryption keys: %w", err)
	}
	return c.DecryptConfig, nil
}

// blobs hands the library's events on, but for what was said before. done is closed when the last one is, after the caller
// closed events.
func (j *job) blobs(said map[string]bool) (events chan types.ProgressProperties, done chan struct{}) {
	events, done = make(chan types.ProgressProperties), make(chan struct{})
	states := map[types.ProgressEvent]string{
		types.ProgressEventNewArtifact: transfer.BlobStarted, types.ProgressEventRead: transfer.BlobProgress,
		types.ProgressEventDone: transfer.BlobDone, types.ProgressEventSkipped: transfer.BlobExists,
	}
	go func() {
		defer close(done)
		for e := range events {
			state, ok := states[e.Event]
			if !ok || said[copying+e.Artifact.Digest.String()] {
				continue
			}
			b := &transfer.Blob{
				Digest: e.Artifact.Digest.String(), Kind: "blob", State: state, Done: int64(e.Offset), Total: max(e.Artifact.Size, 0),
			}
			if strings.Contains(e.Artifact.MediaType, "config") || strings.Contains(e.Artifact.MediaType, "container.image") {
				b.Kind = "config"
			}
			j.progress(transfer.Progress{Blob: b})
		}
	}()
	return events, done
}
