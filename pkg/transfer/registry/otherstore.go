package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
)

// cutStore splits [DRIVER@ROOT+RUNROOT:OPTION,OPTION]IMAGE of containers-storage: (containers-transports(5)) into the store and
// the image in it; all but ROOT may be missing. ok is false where no store is named.
func cutStore(details string) (o layers.Options, image string, ok bool) {
	spec, ok := strings.CutPrefix(details, "[")
	if !ok {
		return o, details, false
	}
	spec, image, _ = strings.Cut(spec, "]")
	if driver, rest, found := strings.Cut(spec, "@"); found {
		o.Driver, spec = driver, rest
	}
	spec, options, _ := strings.Cut(spec, ":")
	for option := range strings.SplitSeq(options, ",") {
		if option != "" {
			o.DriverOptions = append(o.DriverOptions, option)
		}
	}
	o.Root, o.RunRoot, _ = strings.Cut(spec, "+")
	return o, image, true
}

// storeOf is the store that details name, and the image in it: the job's own, or another one, which has to be there unless it
// is written to.
func (j *job) storeOf(details string, written bool) (*layers.Store, string, error) {
	o, image, ok := cutStore(details)
	if !ok || filepath.Clean(o.Root) == j.store.GraphRoot() {
		return j.store, image, nil
	}
	if !filepath.IsAbs(o.Root) || o.RunRoot != "" && !filepath.IsAbs(o.RunRoot) {
		return nil, "", errs.WithHint(errs.Invalid("containers-storage:%s: the paths of a store are absolute", details),
			"containers-storage:[DRIVER@/ROOT+/RUNROOT]IMAGE")
	}
	if _, err := os.Stat(o.Root); !written && errors.Is(err, fs.ErrNotExist) {
		return nil, "", errs.NotFound("containers-storage: there is no store in %q", o.Root)
	}
	store, err := layers.Open(o)
	return store, image, err
}
