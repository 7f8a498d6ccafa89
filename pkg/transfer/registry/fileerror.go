package registry

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker/daemon"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/sif"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
)

// explainedFile is an error about an image that is in no registry, with its name and what the library's words do not say.
func explainedFile(err error, src types.ImageReference) error {
	name := src.Transport().Name() + ":" + strings.TrimSuffix(src.StringWithinTransport(), ":")
	path, _, _ := strings.Cut(src.StringWithinTransport(), ":") // before a name or a digest
	told := func(text string) error { return fmt.Errorf("%s: %s", name, text) }
	_, missing := os.Stat(path)
	text := err.Error()
	switch transport := src.Transport(); {
	case transport == daemon.Transport:
		if strings.Contains(text, "failed to connect") || errors.Is(err, io.ErrClosedPipe) { // which nobody reads
			return errs.WithHint(told("no docker daemon answers"), "docker info says whether it runs and this user may talk to it")
		}
	case errors.Is(missing, fs.ErrNotExist):
		return errs.NotFound("%s: no such file or directory", name)
	case transport == sif.Transport && (errors.Is(err, exec.ErrNotFound) || strings.Contains(text, "unsquashfs: not found")):
		return errs.WithHint(told("it takes the programs fakeroot, unsquashfs and tar to unpack it, and one is not in $PATH"),
			"Debian has them in the packages fakeroot, squashfs-tools and tar")
	case transport == layout.Transport && strings.Contains(text, "open index.json: no such file"):
		return told("it is no OCI layout: there is no index.json")
	case transport == directory.Transport && strings.Contains(text, "manifest.json: no such file"):
		return told("it is no image: there is no manifest.json")
	case errors.Is(err, tar.ErrHeader):
		return told("it is no tar archive, or a damaged one")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.HasSuffix(text, io.ErrUnexpectedEOF.Error()):
		return fmt.Errorf("%s: %w", name, errTruncated)
	}
	err = explained(err, nil)
	if strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
