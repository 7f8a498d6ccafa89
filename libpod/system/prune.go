package system

import (
	"context"
	"errors"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer/staging"
)

// pruneKeys are the filters that mean the same for every kind of object.
var pruneKeys = []string{"label", "label!", "until"}

// Prune removes what nothing uses: containers that do not run, then volumes if they are asked for, images, networks, and what
// pulls that were killed have left. What can go, goes; the report is whole also when there is an error.
func (s *Service) Prune(ctx context.Context, o define.SystemPruneOptions) (define.SystemPruneReport, error) {
	for _, text := range o.Filters {
		key, _, _ := strings.Cut(text, "=")
		if !slices.Contains(pruneKeys, key) {
			return define.SystemPruneReport{}, errs.WithHint(errs.Invalid("%q is an invalid filter%s", key, errs.DidYouMean(key, pruneKeys)),
				"there are label=, label!= and until=")
		}
	}
	var report define.SystemPruneReport
	var failed, more []error
	report.Containers, failed = s.Unused.Prune(ctx, o.Filters)
	failpoint.Hit("system-prune/containers")
	if o.Volumes {
		report.Volumes, more = s.Unused.PruneVolumes(ctx, o.Filters)
		failed = append(failed, more...)
	}
	report.Images, more = s.Images.Prune(ctx, define.ImagePruneOptions{All: o.All, Filters: o.Filters})
	failed = append(append(failed, more...), staging.Sweep(s.Layers.GraphRoot()))
	failpoint.Hit("system-prune/images")
	report.Networks, more = s.Networks.Prune(ctx, o.Filters)
	return report, errors.Join(append(failed, more...)...)
}
