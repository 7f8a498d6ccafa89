package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/sif"
	"go.podman.io/image/v5/storage"

	"hull.dev/hull/pkg/transfer"
)

// errUnknown says that a job's files cannot be told before: it starts a program that has files of its own (a credential
// helper, gpg, a key provider), or lets the user's command say where it writes. It goes unconfined.
var errUnknown = errors.New("the job's files are not known")

// confineAccess confines a job that has no store.
func confineAccess(r transfer.Request, confine func(reach) error) error {
	if r.Op != transfer.OpCredentials && r.Op != transfer.OpLogin && r.Op != transfer.OpSearch {
		return nil // it is about the user's files alone, and asks nobody
	}
	var files reach
	err := files.access(r.Access)
	if r.Op == transfer.OpLogin && !r.Login.Stored {
		files.credentials(r.Access)
	}
	if errors.Is(err, errUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	return confine(files)
}

// confine confines the job, once the store is open: what the store mounts to find out what the kernel can, it has mounted then.
func (j *job) confine(ctx context.Context, confine func(reach) error) error {
	files := reach{tmp: j.stage.dir, store: j.store.GraphRoot()}
	err := j.reach(ctx, &files)
	if errors.Is(err, errUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	return confine(files)
}

// reach adds what the job needs.
func (j *job) reach(ctx context.Context, files *reach) error {
	r := &j.request
	if r.Op == transfer.OpSave || r.Op == transfer.OpSign {
		return errUnknown
	}
	var store reach // opened while the configuration is read: a millisecond each
	opened := make(chan error, 1)
	go func() { opened <- j.stores(&store) }()
	err := files.access(r.Access)
	if err := errors.Join(<-opened, err); err != nil {
		return err
	}
	files.read, files.write = append(files.read, store.read...), append(files.write, store.write...)
	switch r.Op {
	case transfer.OpLoad, transfer.OpImport, transfer.OpHello:
		files.read = append(files.read, r.Path, r.HelloPath)
		return nil
	case transfer.OpPull, transfer.OpInspect, transfer.OpArtifactPull:
		files.remembered()
		return errors.Join(files.keys(r.Pull.Keys), files.source(r.Pull.Reference))
	case transfer.OpListAdd, transfer.OpListInspect:
		files.remembered()
		var failed []error
		for _, text := range r.List.References {
			failed = append(failed, files.source(text))
		}
		return errors.Join(failed...)
	case transfer.OpPush, transfer.OpArtifactPush:
		return j.pushReach(ctx, files)
	}
	return errUnknown
}

// stores adds the folders of the store, unless its driver mounts to read or write a layer.
func (j *job) stores(files *reach) error {
	if j.request.Op == transfer.OpInspect && !strings.HasPrefix(j.request.Pull.Reference, storage.Transport.Name()+":") {
		files.write = append(files.write, filepath.Dir(j.stage.dir)) // the store is not opened; the stage is removed from its parent
		return nil
	}
	store, err := j.store.Raw()
	if err != nil {
		return err
	}
	status, err := j.store.Status() // it tries out what the driver can, by mounts: now, for it cannot later
	if err != nil {
		return err
	}
	said := map[string]string{}
	for _, pair := range status {
		said[pair[0]] = pair[1]
	}
	plain := store.GraphDriverName() == "vfs" || store.GraphDriverName() == "overlay" && said["Native Overlay Diff"] == "true"
	if !plain || len(store.UIDMap())+len(store.GIDMap()) > 0 || layerStore(store) {
		return errUnknown
	}
	driver, err := store.GraphDriver()
	if err != nil {
		return err
	}
	files.write = append(files.write, store.GraphRoot(), store.RunRoot(), store.ImageStore())
	files.read = append(files.read, driver.AdditionalImageStores()...)
	return nil
}

// pushReach adds what a push to a registry needs; one to a path, or of gpg's, writes where the user says.
func (j *job) pushReach(ctx context.Context, files *reach) error {
	p := &j.request.Push
	transport, _, _ := cutTransport(p.Destination)
	if j.request.Op == transfer.OpPush && transport != docker.Transport.Name() || p.SignBy+p.SigstoreParameters != "" {
		return errUnknown
	}
	files.read = append(files.read, p.SigstoreKey)
	for _, key := range p.EncryptionKeys {
		kind, path, _ := strings.Cut(key, ":")
		if kind != "jwe" && kind != "pkcs7" {
			return errUnknown
		}
		files.read = append(files.read, path)
	}
	files.write = append(files.write, lookasides(true)...) // signatures that the image has go along
	if !p.List || !p.AllImages {
		return nil
	}
	img, err := j.store.ImageByID(ctx, p.ID)
	if err != nil {
		return err
	}
	list, err := j.store.ManifestList(ctx, img)
	if err != nil {
		return err
	}
	for _, where := range list.Sources {
		if err := files.source(where); err != nil {
			return err
		}
	}
	return nil
}

// source adds the archive or folder that a reference names.
func (r *reach) source(text string) error {
	transport, details, _ := cutTransport(text)
	switch {
	case transport == sif.Transport.Name(): // a script of its own unpacks it
		return errUnknown
	case transport == storage.Transport.Name():
		if o, _, ok := cutStore(details); ok && filepath.Clean(o.Root) != r.store {
			return errUnknown // of another one nothing is known
		}
		return nil
	case !transfer.IsPathTransport(transport):
		return nil
	}
	for { // PATH[:NAME[:TAG]]; a path may have colons
		if _, err := os.Stat(details); err == nil {
			r.read = append(r.read, details)
			return nil
		}
		i := strings.LastIndexByte(details, ':')
		if i < 0 {
			return nil // the library says that it is not there
		}
		details = details[:i]
	}
}

// keys adds those that layers are decrypted with; one that is no file comes out of a program.
func (r *reach) keys(list []string) error {
	for _, key := range list {
		path, _, _ := strings.Cut(key, ":")
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return errUnknown
		}
		r.read = append(r.read, path)
	}
	return nil
}
