package images

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/transfer"
)

// SaveFormats are the values of --format (podman-save(1)).
var SaveFormats = []string{transfer.FormatOCIDir, transfer.FormatOCIArchive, transfer.FormatDockerDir, transfer.FormatDockerArchive}

// SaveOptions is what podman-save(1) can be asked for.
type SaveOptions struct {
	Format       string                  // one of SaveFormats
	Path         string                  // "" is Output, which takes archives only
	Output       *os.File                // written from where it stands
	Multi        bool                    // all references are images; else those after the first are more names for it
	Compress     bool                    // docker-dir: layers with gzip
	Uncompressed bool                    // oci-archive, oci-dir: layers as tar
	Progress     func(transfer.Progress) // nil: quiet
}

// Save writes images to an archive or a folder: whole, or not at all.
func (s *Service) Save(ctx context.Context, refs []string, o SaveOptions) error {
	list, err := s.saved(ctx, refs, o)
	if err != nil {
		return err
	}
	r := s.request(transfer.OpSave)
	r.Source = o.Path
	r.Save = transfer.Save{Format: o.Format, Images: list, Compress: o.Compress, Uncompressed: o.Uncompressed}
	switch {
	case o.Format == transfer.FormatOCIDir || o.Format == transfer.FormatDockerDir:
		err = s.saveDir(ctx, r, o)
	case o.Path == "":
		r.Source, r.Output = "standard output", o.Output
		_, err = s.transfer.Run(ctx, r, nil, o.Progress)
	default:
		err = s.saveFile(ctx, r, o)
	}
	if err != nil {
		return err
	}
	for _, img := range list {
		s.event("save", img.ID, o.Path)
	}
	return nil
}

// saved finds the images and what they are called.
func (s *Service) saved(ctx context.Context, refs []string, o SaveOptions) ([]transfer.SaveImage, error) {
	if len(refs) > 1 && o.Format != transfer.FormatDockerArchive && (o.Multi || o.Format == transfer.FormatDockerDir) {
		return nil, errs.WithHint(errs.Invalid("unsupported format %q for saving multiple images (only docker-archive)", o.Format),
			"save them one by one")
	}
	var list []transfer.SaveImage
	for i, ref := range refs {
		if i > 0 && !o.Multi {
			name, err := reference.NormalizeLocal(ref)
			if err != nil {
				return nil, err
			}
			if name.Digest != "" {
				return nil, errs.Invalid("%s: an additional name is a name and a tag, not a digest", ref)
			}
			list[0].Names = append(list[0].Names, name.String())
			continue
		}
		img, name, err := s.image(ctx, ref)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(list, func(i transfer.SaveImage) bool { return i.ID == img.ID })
		if at < 0 { // an archive has each image once, with all of its names
			at = len(list)
			list = append(list, transfer.SaveImage{ID: img.ID})
		}
		if !isID(img, name) && !strings.Contains(name, "@") && !slices.Contains(list[at].Names, name) {
			list[at].Names = append(list[at].Names, name)
		}
	}
	return list, nil
}

// saveFile writes an archive to o.Path, which is there when it is whole.
func (s *Service) saveFile(ctx context.Context, r transfer.Request, o SaveOptions) (err error) {
	info, err := os.Stat(o.Path)
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 && o.Format == transfer.FormatDockerArchive {
		return errs.WithHint(errdefs.ErrAlreadyExists.WithMessage(fmt.Sprintf(
			"save to %q: docker-archive doesn't support modifying existing images", o.Path,
		)), "remove the file, or name another one")
	}
	out, err := openOutput(o.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.drop()) }()
	r.Output = out.File
	if _, err := s.transfer.Run(ctx, r, nil, o.Progress); err != nil {
		return err
	}
	failpoint.Hit("save/written")
	if err := out.commit(); err != nil {
		return fmt.Errorf("save to %q: %w", o.Path, err)
	}
	return nil
}

// saveDir writes a folder: beside its path, where it takes the place of what is there when it is whole. An OCI layout that
// is there gets the image added, its index last.
func (s *Service) saveDir(ctx context.Context, r transfer.Request, o SaveOptions) (err error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return err
	}
	old, err := os.ReadDir(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return opening(o.Path, err)
	case o.Format == transfer.FormatOCIDir && len(old) > 0:
		if _, err := os.Stat(filepath.Join(path, "oci-layout")); err != nil {
			return notEmpty(o.Path, "OCI layout")
		}
		r.Save.Dir = path
		_, err := s.transfer.Run(ctx, r, nil, o.Progress)
		return err
	case len(old) > 0:
		if _, err := os.Stat(filepath.Join(path, "version")); err != nil {
			return notEmpty(o.Path, "folder of the transport dir")
		}
	}
	if r.Save.Dir, err = newDir(path); err != nil {
		return opening(o.Path, err)
	}
	r.Save.Target = path
	defer func() { err = errors.Join(err, os.RemoveAll(r.Save.Dir)) }() // it is there when hull-image was killed
	_, err = s.transfer.Run(ctx, r, nil, o.Progress)
	return err
}

// newDir makes a folder beside path, as mkdir(1) would.
func newDir(path string) (string, error) {
	dir := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	return dir, os.Mkdir(dir, 0o755)
}

func notEmpty(path, what string) error {
	return errs.WithHint(errdefs.ErrAlreadyExists.WithMessage(fmt.Sprintf("save to %q: it is not empty and is no %s", path, what)),
		"name a folder that is not there yet")
}
