package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"hull.dev/hull/pkg/transfer"
)

// ahead brings the layers of an image into the store before the library copies the image, which then finds them there. The
// library unpacks each gzip twice: once to learn the digest of what is in it, and once for the store. Here a layer is
// unpacked while it still comes, once, and its digests are those of the bytes that went by:
//
//	registry ──> spool, its digest ──> unpack: digest of the tar, files ──> store
//
// Layers come and are unpacked beside each other, and go into the store from the lowest up, under the ids that the library
// will look for.
// What is out of the ordinary is left to the library: nothing is lost but time.
type ahead struct {
	job    *job
	store  storage.Store
	src    types.ImageSource
	name   reference.Named // nil: the image gets none
	layers []types.BlobInfo
	diffs  []digest.Digest // of the tars, as the config has them
	ids    []string        // under which the library has the layers
	turns  *turns
	bundle *bundle // the image, where it is here already and not in a registry
	spools map[digest.Digest]*spool
	said   map[string]bool // lines, by one of which the library would say that a layer is there already
	grown  atomic.Int64    // bytes that the layers have become
	made   []string        // ids of the layers that the store has been given
}

// prepared is what ahead has left to do.
type prepared struct {
	src   types.ImageReference // for the library to copy
	said  map[string]bool      // lines that it need not say again
	here  string               // id of the image, when the store has it already: there is nothing to copy
	close func() error         // never nil
}

// parallel is how many blobs come at once when the request does not say.
const parallel = 6

// ahead opens an image in a registry and fetches its layers ahead.
func (j *job) ahead(ctx context.Context, sys *types.SystemContext, ref types.ImageReference, policy *signature.PolicyContext, to types.ImageReference) (prepared, error) {
	p := prepared{src: ref, close: func() error { return nil }}
	if ref.Transport().Name() != docker.Transport.Name() {
		return p, nil
	}
	store, err := j.store.Raw()
	if err != nil || special(store) {
		return p, err
	}
	p.src = steady{ref, j}
	if len(j.request.Pull.Keys) > 0 {
		return p, nil
	}
	opened, err := p.src.NewImageSource(ctx, sys)
	if err != nil { // in the library's words
		return p, fmt.Errorf("initializing source %s: %w", transports.ImageName(ref), err)
	}
	if _, ok := opened.(*steadySource); !ok { // it has signatures that only the library can read
		return p, opened.Close()
	}
	source := newShared(opened)
	p.src, p.close = shared{p.src, source}, opened.Close
	a := &ahead{job: j, store: store, src: source, name: to.DockerReference(), turns: newTurns(store.RunRoot()), said: map[string]bool{}}
	p.said = a.said
	p.here, err = a.fetch(ctx, sys, policy)
	return p, err
}

// special reports whether storage.conf asks for what the library does with its own source alone: pulls of the parts of a
// layer that are nowhere here (containers-storage.conf(5), pull_options: enable_partial_images), and layers out of an
// additional layer store (additionallayerstore).
func special(store storage.Store) bool {
	return strings.EqualFold(store.PullOptions()["enable_partial_images"], "true") || layerStore(store)
}

// layerStore reports whether storage.conf names an additional layer store.
func layerStore(store storage.Store) bool {
	return slices.ContainsFunc(store.GraphOptions(), func(option string) bool {
		key, _, _ := strings.Cut(option, "=")
		return key == "additionallayerstore" || strings.HasSuffix(key, ".additionallayerstore")
	})
}

// fetch does it for the image that policy allows. It returns the id of one that is here.
func (a *ahead) fetch(ctx context.Context, sys *types.SystemContext, policy *signature.PolicyContext) (here string, err error) {
	here, ok, err := a.plan(ctx, sys, policy)
	if !ok || err != nil {
		return here, err
	}
	defer a.turns.release()
	for {
		missing, parent, err := a.missing()
		if err != nil || len(missing) == 0 {
			return "", err
		}
		n, taken, err := a.turns.take(ctx, a.ids[missing[0]:missing[0]+len(missing)], func() {
			a.job.say("Waiting for another pull of blob " + a.layers[missing[0]].Digest.String())
		})
		if err != nil {
			return "", err
		}
		if taken { // somebody may have brought it before
			continue
		}
		if err := a.bring(ctx, missing[:n], parent); err != nil {
			return "", err
		}
		a.turns.release()
	}
}

// bring fetches layers of which each lies on the one before, the first on parent.
func (a *ahead) bring(ctx context.Context, missing []int, parent string) error {
	if a.bundle != nil {
		return a.unpackAll(ctx, missing, parent)
	}
	if !a.said[gettingSignatures] {
		a.say(gettingSignatures)
	}
	a.spools = map[digest.Digest]*spool{}
	defer a.close()
	for _, i := range missing {
		if err := a.spool(a.layers[i].Digest); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.download(ctx, missing) })
	g.Go(func() error {
		if takesOver(a.store) {
			return a.unpackAll(ctx, missing, parent)
		}
		return a.putAll(ctx, missing, parent)
	})
	return g.Wait()
}

// What the library says first, and of a layer before its digest.
const (
	gettingSignatures = "Getting image source signatures"
	copying           = "Copying blob "
)

func (a *ahead) say(line string) {
	a.said[line] = true
	a.job.say(line)
}

// spool makes the spool of a blob.
func (a *ahead) spool(d digest.Digest) error {
	if a.spools[d] != nil {
		return nil
	}
	file, err := a.job.stage.unnamed()
	if err == nil {
		a.spools[d] = newSpool(file)
	}
	return err
}

func (a *ahead) close() {
	for _, s := range a.spools {
		_ = s.file.Close()
	}
}

// plan learns what layers the image has, and reports whether they can be fetched ahead, or that the image is here. One
// that is not allowed, or that cannot be read, is the library's to refuse.
func (a *ahead) plan(ctx context.Context, sys *types.SystemContext, policy *signature.PolicyContext) (here string, ok bool, err error) {
	instance, err := instanceFor(ctx, sys, a.src)
	if err != nil {
		return "", false, err
	}
	unparsed := image.UnparsedInstance(a.src, instance)
	if _, mediaType, err := unparsed.Manifest(ctx); err != nil || mediaType != imgspec.MediaTypeImageManifest && mediaType != manifest.DockerV2Schema2MediaType {
		return "", false, err
	}
	if allowed, err := policy.IsRunningImageAllowed(ctx, unparsed); !allowed || err != nil {
		return "", false, nil //nolint:nilerr // the library says so
	}
	if here, err := a.here(ctx, instance); here != "" || err != nil {
		return here, false, err
	}
	img, err := image.FromUnparsedImage(ctx, sys, unparsed)
	if err != nil {
		return "", false, nil //nolint:nilerr // the library says so
	}
	config, err := img.OCIConfig(ctx)
	if err != nil {
		return "", false, err
	}
	a.layers, a.diffs = img.LayerInfos(), config.RootFS.DiffIDs
	if !a.ordinary() {
		return "", false, nil
	}
	id := ""
	for _, diff := range a.diffs {
		id = chained(id, diff)
		a.ids = append(a.ids, id)
	}
	return "", true, nil
}

// here is the id of the image that has the name in the store, if it has all of its layers and the manifests that the
// registry has: the image's own and that of the list it was chosen from.
func (a *ahead) here(ctx context.Context, instance *digest.Digest) (string, error) {
	if a.name == nil {
		return "", nil
	}
	img, err := a.store.Image(a.name.String())
	if err != nil || !slices.Contains(img.Names, a.name.String()) {
		return "", nil //nolint:nilerr // not here
	}
	for _, which := range []*digest.Digest{nil, instance} {
		data, _, err := a.src.GetManifest(ctx, which)
		if err != nil {
			return "", err
		}
		d, err := manifest.Digest(data)
		if err != nil || !slices.Contains(img.Digests, d) {
			return "", nil //nolint:nilerr // another, or one that the library explains
		}
	}
	for id := img.TopLayer; id != ""; {
		l, err := a.store.Layer(id)
		if err != nil {
			return "", nil //nolint:nilerr // a damaged image is mended by copying it
		}
		id = l.Parent
	}
	return img.ID, nil
}

// plainLayers are the media types of layers that are tars, packed or not.
var plainLayers = []string{
	imgspec.MediaTypeImageLayer, imgspec.MediaTypeImageLayerGzip, imgspec.MediaTypeImageLayerZstd,
	manifest.DockerV2SchemaLayerMediaTypeUncompressed, manifest.DockerV2Schema2LayerMediaType,
}

// ordinary reports whether each layer is a plain tar that the registry has itself and that the config knows.
func (a *ahead) ordinary() bool {
	if len(a.layers) != len(a.diffs) {
		return false
	}
	for i, l := range a.layers {
		if !slices.Contains(plainLayers, l.MediaType) || len(l.URLs) > 0 || a.diffs[i].Validate() != nil || l.Digest.Validate() != nil {
			return false
		}
	}
	return true
}

// missing are the layers, one on the other, above those that the store has in this place, up to one that it has elsewhere: the library copies
// that. parent is the layer below the first.
func (a *ahead) missing() (list []int, parent string, err error) {
	for i, l := range a.layers {
		id := a.ids[i]
		if len(list) == 0 {
			if _, err := a.store.Layer(id); err == nil {
				parent = id
				continue
			}
		}
		same, err := a.store.LayersByUncompressedDigest(a.diffs[i])
		if err == nil && len(same) == 0 {
			same, err = a.store.LayersByCompressedDigest(l.Digest)
		}
		if len(same) > 0 {
			return list, parent, nil
		}
		if err != nil && !errors.Is(err, storage.ErrLayerUnknown) {
			return nil, "", err
		}
		list = append(list, i)
	}
	return list, parent, nil
}

// chained is the id under which the library has a layer above parent.
func chained(parent string, diff digest.Digest) string {
	if parent == "" {
		return diff.Encoded()
	}
	return digest.FromString(parent + "+" + diff.Encoded()).Encoded()
}

// download fills the spools, some at once, the lowest first.
func (a *ahead) download(ctx context.Context, missing []int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	if n := a.job.request.Pull.Parallel; n > 0 {
		g.SetLimit(int(n))
	}
	begun := map[digest.Digest]bool{}
	for _, i := range missing {
		l := a.layers[i]
		if begun[l.Digest] {
			continue
		}
		begun[l.Digest] = true
		a.said[copying+l.Digest.String()] = true
		g.Go(func() error { return a.downloadOne(ctx, l) })
	}
	return g.Wait()
}

func (a *ahead) downloadOne(ctx context.Context, l types.BlobInfo) error {
	s := a.spools[l.Digest]
	r, size, err := a.src.GetBlob(ctx, l, none.NoCache)
	if err != nil {
		return err
	}
	defer r.Close()
	if l.Size >= 0 {
		size = l.Size
	}
	a.job.say(copying + l.Digest.String())
	t := &told{r: r, job: a.job, blob: transfer.Blob{Digest: l.Digest.String(), Kind: "blob", State: transfer.BlobStarted, Total: max(size, 0)}}
	t.tell()
	t.blob.State = transfer.BlobProgress
	if err := s.fill(t, l.Digest, size); err != nil {
		return err
	}
	t.blob.State = transfer.BlobDone
	t.tell()
	return nil
}

// told is a blob that tells how far it is.
type told struct {
	r    io.Reader
	job  *job
	blob transfer.Blob
	last time.Time
}

func (t *told) tell() {
	b := t.blob
	t.job.progress(transfer.Progress{Blob: &b})
	t.last = time.Now()
}

func (t *told) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.blob.Done += int64(n)
	if time.Since(t.last) >= progressInterval {
		t.tell()
	}
	return n, err
}
