package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker/archive"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/types"
	"golang.org/x/sys/unix"

	imgspec "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer"
)

// save writes images of the store: an archive to descriptor 1, a folder in place. hull gives the file its name when all is
// written. A folder gets it here, or goes, because it would stay if hull were killed.
func (j *job) save(ctx context.Context) (_ transfer.Result, err error) {
	o := j.request.Save
	if len(o.Images) == 0 || len(o.Images) > 1 && o.Format != transfer.FormatDockerArchive {
		return transfer.Result{}, errs.Invalid("%d images cannot be saved as %q", len(o.Images), o.Format)
	}
	switch o.Format {
	case transfer.FormatDockerArchive:
		err = j.toOutput(ctx, j.saveDockerArchive)
	case transfer.FormatOCIArchive:
		err = j.toOutput(ctx, j.saveOCIArchive)
	case transfer.FormatOCIDir:
		err = j.saveOCIDir(ctx, o.Dir)
	case transfer.FormatDockerDir:
		err = j.saveDockerDir(ctx, o.Dir)
	default:
		err = errs.Invalid("hull-image does not know the format %q", o.Format)
	}
	if o.Target != "" {
		if err == nil {
			err = replaceDir(o.Dir, o.Target)
		}
		err = errors.Join(err, os.RemoveAll(o.Dir)) // what was at the target by then, or what is unfinished
	}
	var result transfer.Result
	for _, img := range o.Images {
		result.Images = append(result.Images, transfer.Image(img))
	}
	return result, err
}

// replaceDir gives dir the path of target. What is there gets dir's, unless it is an empty folder.
func replaceDir(dir, target string) error {
	err := unix.Rename(dir, target)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		err = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, target, unix.RENAME_EXCHANGE)
	}
	if err != nil {
		return fmt.Errorf("rename the folder that was written to %q: %w", target, err)
	}
	return nil
}

// saveContext is the library's for a destination on this machine.
func (j *job) saveContext() *types.SystemContext {
	return &types.SystemContext{
		BigFilesTemporaryDir: j.stage.dir, BlobInfoCacheDir: j.stage.dir,
		DirForceCompress: j.request.Save.Compress, OCIAcceptUncompressedLayers: j.request.Save.Uncompressed,
	}
}

// saveDockerArchive writes the archive of docker save. The names of an image after the first travel beside its
// destination, as the library has it.
func (j *job) saveDockerArchive(ctx context.Context, path string) (err error) {
	sys := j.saveContext()
	w, err := archive.NewWriter(sys, path)
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			_ = w.Close() // the error that brought us here says more
		}
	}()
	for _, img := range j.request.Save.Images {
		names, err := taggedNames(img.Names)
		if err != nil {
			return err
		}
		var name reference.NamedTagged
		if len(names) > 0 {
			name, names = names[0], names[1:]
		}
		to, err := w.NewReference(name)
		if err != nil {
			return err
		}
		own := *sys
		own.DockerArchiveAdditionalTags = names
		if _, err := j.copyOut(ctx, img.ID, to, copy.Options{RemoveSignatures: true, DestinationCtx: &own}); err != nil {
			return fmt.Errorf("save image %q: %w", img.ID[:12], err)
		}
		failpoint.Hit("save/archived")
	}
	open = false
	return w.Close()
}

// saveOCIArchive writes an OCI layout as a tar: first as a folder beside the store, since its index is known last.
func (j *job) saveOCIArchive(ctx context.Context, path string) error {
	dir := filepath.Join(j.stage.dir, "layout")
	if err := j.saveOCIDir(ctx, dir); err != nil {
		return err
	}
	return tarLayout(ctx, dir, path)
}

// saveOCIDir adds the image to the OCI layout in dir, once under each name; what it has already is not written again.
func (j *job) saveOCIDir(ctx context.Context, dir string) error {
	img := j.request.Save.Images[0]
	names := img.Names
	if len(names) == 0 {
		names = []string{""}
	}
	for i, name := range names {
		to, err := layout.NewReference(dir, name)
		if err != nil {
			return err
		}
		o := copy.Options{RemoveSignatures: true, DestinationCtx: j.saveContext(), ForceManifestMIMEType: imgspec.MediaTypeImageManifest}
		quiet := *j
		if i > 0 {
			quiet.say, quiet.progress = func(string) {}, func(transfer.Progress) {}
		}
		if _, err := quiet.copyOut(ctx, img.ID, to, o); err != nil {
			return fmt.Errorf("save image %q: %w", img.ID[:12], err)
		}
		failpoint.Hit("save/layout")
	}
	return nil
}

func (j *job) saveDockerDir(ctx context.Context, dir string) error {
	id := j.request.Save.Images[0].ID
	to, err := directory.NewReference(dir)
	if err != nil {
		return err
	}
	o := copy.Options{RemoveSignatures: true, DestinationCtx: j.saveContext(), ForceManifestMIMEType: manifest.DockerV2Schema2MediaType}
	if _, err := j.copyOut(ctx, id, to, o); err != nil {
		return fmt.Errorf("save image %q: %w", id[:12], err)
	}
	failpoint.Hit("save/folder")
	return nil
}

func taggedNames(names []string) ([]reference.NamedTagged, error) {
	var out []reference.NamedTagged
	for _, n := range names {
		ref, err := reference.ParseNormalizedNamed(n)
		if err != nil {
			return nil, errs.Invalid("%q is not a name of an image: %v", n, err)
		}
		tagged, ok := ref.(reference.NamedTagged)
		if !ok {
			return nil, errs.Invalid("%q has no tag", n)
		}
		out = append(out, tagged)
	}
	return out, nil
}
