package registries

import (
	"context"
	"strconv"
	"strings"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// defaultLimit is how much is found of each registry when no limit is given (podman-search(1)).
const defaultLimit = 25

// SearchOptions is what podman-search(1) can be asked for.
type SearchOptions struct {
	Term    string
	Access  transfer.Access
	Limit   int      // of each registry; 0 is 25
	Tags    bool     // Term is a repository, and its tags are wanted
	Filters []string // stars=N, is-official[=BOOL], is-automated[=BOOL]
	Warn    func(string)
}

// Found is an image that a registry has, or a tag of one.
type Found = transfer.Found

// Search finds images by their names in the registry that the term names, else in those that registries.conf searches.
func (s *Service) Search(ctx context.Context, o SearchOptions) ([]Found, error) {
	keep, err := filters(o.Filters)
	if err != nil {
		return nil, err
	}
	if o.Limit < 0 {
		return nil, errs.Invalid("--limit %d: it is a number of images", o.Limit)
	}
	if o.Limit == 0 {
		o.Limit = defaultLimit
	}
	if err := absolute(&o.Access); err != nil {
		return nil, err
	}
	r := transfer.Request{Op: transfer.OpSearch, Access: o.Access, Search: transfer.Search{Term: o.Term, Limit: o.Limit, Tags: o.Tags}}
	result, err := s.Transfer.Run(ctx, r, nil, func(p transfer.Progress) { o.Warn(p.Text) })
	if err != nil {
		return nil, err
	}
	kept := result.Found[:0]
	for _, f := range result.Found {
		if keep(f) {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// filters makes one condition of all.
func filters(list []string) (func(Found) bool, error) {
	var all []func(Found) bool
	for _, text := range list {
		key, value, given := strings.Cut(text, "=")
		if key == "stars" {
			least, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return nil, errs.Invalid("filter %q: stars is a number", text)
			}
			all = append(all, func(f Found) bool { return uint64(max(f.Stars, 0)) >= least })
			continue
		}
		want := true
		if given {
			var err error
			if want, err = strconv.ParseBool(value); err != nil {
				return nil, errs.Invalid("filter %q: %q is neither true nor false", text, value)
			}
		}
		switch key {
		case "is-official":
			all = append(all, func(f Found) bool { return f.Official == want })
		case "is-automated":
			all = append(all, func(f Found) bool { return f.Automated == want })
		default:
			known := []string{"stars", "is-official", "is-automated"}
			return nil, errs.Invalid("invalid filter type %q%s: %s are there", text, errs.DidYouMean(key, known), strings.Join(known, ", "))
		}
	}
	return func(f Found) bool {
		for _, ok := range all {
			if !ok(f) {
				return false
			}
		}
		return true
	}, nil
}
