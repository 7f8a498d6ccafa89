// Package registry is what hull-image does: it moves images between archives, registries and the store. It alone links
// go.podman.io/image.
//
// Archives come from strangers. Nothing of an archive is unpacked before it is known what it is: the outer tar is only
// indexed (tarfiles.go), its manifests and configs are bounded and checked against their digests (docker.go, oci.go), and
// each layer is walked once, entry by entry, before the store sees it (check.go): names that lead out of the root, more
// bytes than the disk has, a tar that ends early. What the store then reads passes a digest check on the way (source.go).
// A job leaves the store as it was unless all of it succeeds (put.go), and its temporary files go with the process: they
// have no name, or lie in a folder that the next job removes when nobody holds its lock (stage.go).
//
// What comes over the network is what go.podman.io/image makes of it, by the files of the user and the machine
// (policy.json, registries.conf, certs.d, auth.json): every blob passes a digest check before the store takes it. Ours are
// which names are tried (names.go), where credentials may go (access.go), when it is tried again (retry.go, steady.go), how
// much it may be (limits.go), and the words of an error (pullerror.go). The layers of an image in a registry are brought into the
// store before the library copies it (ahead.go, unpack.go), so that each is unpacked once.
//
// A list of images is a manifest in the store alone: its images are looked at where they are (origin.go, list.go) and read
// from there when the list is copied (listsource.go).
package registry

import (
	"context"
	"errors"
	"fmt"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// Handle does one job of hull's, in a process that has nothing else to do: before it talks to anybody, the process gives up
// the files that the job does not need (confine.go). It is a transfer.Handler.
func Handle(ctx context.Context, r transfer.Request, progress func(transfer.Progress)) (transfer.Result, error) {
	var files reach
	result, err := handle(ctx, r, progress, func(r reach) error {
		files = r
		return confine(r)
	})
	if err != nil && len(files.read) > 0 {
		err = files.explain(err)
	}
	return result, owners(err)
}

// handle is that with the function that gives them up.
func handle(ctx context.Context, r transfer.Request, progress func(transfer.Progress), confine func(reach) error) (_ transfer.Result, err error) {
	if act := storeless(r, progress); act != nil {
		if err := confineAccess(r, confine); err != nil {
			return transfer.Result{}, err
		}
		return act(ctx)
	}
	store, err := layers.Open(layers.Options{
		Root: r.Store.Root, RunRoot: r.Store.RunRoot, Driver: r.Store.Driver,
		DriverOptions: r.Store.DriverOptions, ImageStore: r.Store.ImageStore,
	})
	if err != nil {
		return transfer.Result{}, err
	}
	if r.Op == transfer.OpPull {
		store.Prepare() // beside the first words with the registry
	}
	j := &job{request: r, store: store, progress: progress, say: func(text string) { progress(transfer.Progress{Text: text}) }, asked: &lastAsked{}}
	if j.stage, err = newStage(store.GraphRoot()); err != nil {
		return transfer.Result{}, err
	}
	defer func() { err = errors.Join(err, j.stage.close()) }()
	if err := j.confine(ctx, confine); err != nil {
		return transfer.Result{}, err
	}
	switch r.Op {
	case transfer.OpLoad:
		return j.load(ctx)
	case transfer.OpImport:
		return j.importTar(ctx)
	case transfer.OpHello:
		return j.hello(ctx)
	case transfer.OpPull:
		return j.pull(ctx)
	case transfer.OpInspect:
		return j.inspect(ctx)
	case transfer.OpSave:
		return j.save(ctx)
	case transfer.OpPush:
		return j.push(ctx)
	case transfer.OpSign:
		return transfer.Result{}, j.sign(ctx)
	case transfer.OpListAdd:
		return j.listAdd(ctx)
	case transfer.OpListInspect:
		return j.listInspect(ctx)
	case transfer.OpArtifactPull:
		return j.artifactPull(ctx)
	case transfer.OpArtifactPush:
		return j.artifactPush(ctx)
	}
	return transfer.Result{}, errs.Invalid("hull-image does not know the operation %q", r.Op)
}

// storeless is what does a job that needs no store, or nil.
func storeless(r transfer.Request, progress func(transfer.Progress)) func(context.Context) (transfer.Result, error) {
	switch r.Op {
	case transfer.OpCredentials, transfer.OpLogin, transfer.OpLogout:
		return func(ctx context.Context) (transfer.Result, error) { return credentials(ctx, r) }
	case transfer.OpTrustShow, transfer.OpTrustSet:
		return func(context.Context) (transfer.Result, error) { return trust(r) }
	case transfer.OpSources:
		return func(context.Context) (transfer.Result, error) {
			return transfer.Result{Sources: sources(system(r.Access))}, nil
		}
	case transfer.OpSearch:
		return func(ctx context.Context) (transfer.Result, error) {
			return search(ctx, r, func(text string) { progress(transfer.Progress{Text: text}) })
		}
	}
	return nil
}

// job is one request with what it needs.
type job struct {
	request  transfer.Request
	store    *layers.Store
	stage    *stage
	progress func(transfer.Progress)
	say      func(string)
	asked    *lastAsked
	signing  bool // it has the lock of who writes signatures (signlock.go)
}

// bad is an error of class ErrInvalidArgument about the job's archive. It is told without what the libraries between
// the archive and here wrap around it.
func (j *job) bad(format string, args ...any) error {
	return &archiveError{errs.Invalid("archive %q: "+format, append([]any{j.request.Source}, args...)...)}
}

// named puts the archive before an error that says all else; nil stays nil.
func (j *job) named(err error) error {
	if err == nil {
		return nil
	}
	return &archiveError{fmt.Errorf("archive %q: %w", j.request.Source, err)}
}

// archiveError is an error whose words say it all.
type archiveError struct{ error }

func (e *archiveError) Unwrap() error { return e.error }

// plain gives the archiveError in err if there is one, else err.
func plain(err error) error {
	if a, ok := errors.AsType[*archiveError](err); ok {
		return a
	}
	return err
}
