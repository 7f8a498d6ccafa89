package system

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/artifacts"
)

// artifactStores are the store of artifacts and that of those in lists of images (libpod/images).
func (s *Service) artifactStores() []*artifacts.Store {
	return []*artifacts.Store{artifacts.At(s.Layers.GraphRoot()), artifacts.At(filepath.Join(s.Dirs.Static, "lists"))}
}

// checkArtifacts finds artifacts that are damaged, and files that belong to none.
func (s *Service) checkArtifacts(ctx context.Context) ([]define.Finding, error) {
	var found []define.Finding
	for _, store := range s.artifactStores() {
		all, err := store.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			if a.Bad != nil {
				found = append(found, define.Finding{Text: a.Bad.Error()})
			}
		}
		left, err := store.Unnamed(ctx)
		if err != nil {
			return nil, err
		}
		for _, path := range left {
			found = append(found, define.Finding{Text: fmt.Sprintf("file %s: it is of no artifact", path)})
		}
	}
	return found, nil
}

// repairArtifacts removes the files that belong to no artifact. Damaged ones stay: artifact rm removes them.
func (s *Service) repairArtifacts(ctx context.Context) error {
	var failed []error
	for _, store := range s.artifactStores() {
		left, err := store.Unnamed(ctx)
		if err == nil && len(left) > 0 {
			err = store.Update(ctx, func(*artifacts.Tx) error { return nil })
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
