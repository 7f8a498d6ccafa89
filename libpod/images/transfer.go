package images

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/transfer"
)

// Archive is where an archive is read from.
type Archive struct {
	Path  string   // "" is Stdin
	Stdin *os.File // read from where it stands
}

// LoadOptions is what podman-load(1) can be asked for.
type LoadOptions struct {
	Archive
	Progress func(text string) // nil: quiet
}

// ImportOptions is what podman-import(1) can be asked for.
type ImportOptions struct {
	Archive
	Name              string // "" leaves the image without one
	Changes           []string
	Message           string
	OS, Arch, Variant string
	Progress          func(text string)
}

// Load puts all images of an archive into the store, or none, and returns their names; an image without a name is
// "sha256:ID".
func (s *Service) Load(ctx context.Context, o LoadOptions) ([]string, error) {
	result, err := s.run(ctx, s.request(transfer.OpLoad), o.Archive, o.Progress)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, img := range result.Images {
		s.event("loadfromarchive", img.ID, o.Path)
		if len(img.Names) == 0 {
			names = append(names, "sha256:"+img.ID)
		}
		names = append(names, img.Names...)
	}
	return names, nil
}

// Import makes an image of a root file system's tar and returns its id.
func (s *Service) Import(ctx context.Context, o ImportOptions) (string, error) {
	r := s.request(transfer.OpImport)
	r.Import = transfer.Import{Changes: o.Changes, Message: o.Message, OS: o.OS, Arch: o.Arch, Variant: o.Variant}
	if strings.HasPrefix(o.Path, "http://") || strings.HasPrefix(o.Path, "https://") {
		return "", errs.NotBuilt("import from a URL")
	}
	if o.Name != "" {
		name, err := reference.NormalizeLocal(o.Name)
		if err != nil {
			return "", err
		}
		r.Import.Name = name.String()
	}
	result, err := s.run(ctx, r, o.Archive, o.Progress)
	if err != nil {
		return "", err
	}
	if len(result.Images) != 1 {
		return "", errors.New("hull-image made no image of the archive")
	}
	s.event("import", result.Images[0].ID, r.Import.Name)
	return result.Images[0].ID, nil
}

func (s *Service) run(ctx context.Context, r transfer.Request, from Archive, progress func(string)) (transfer.Result, error) {
	stdin := from.Stdin
	r.Source = "standard input"
	if from.Path != "" {
		path, err := filepath.Abs(from.Path)
		if err != nil {
			return transfer.Result{}, err
		}
		// Asked here, so that the common mistake does not cost a process.
		if _, err := os.Stat(path); err != nil {
			if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
				err = pathErr.Err
			}
			return transfer.Result{}, errs.NotFound("open %s: %v", from.Path, err)
		}
		r.Path, r.Source, stdin = path, from.Path, nil
	}
	return s.transfer.Run(ctx, r, stdin, func(p transfer.Progress) {
		if progress != nil {
			progress(p.Text)
		}
	})
}
