package networks

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/moment"
	"hull.dev/hull/pkg/network"
)

// The keys of --filter (podman-network-ls(1), podman-network-prune(1)).
var (
	listKeys  = []string{"dangling", "driver", "id", "label", "label!", "name", "until"}
	pruneKeys = []string{"label", "label!", "until"}
)

// test is one filter.
type test func(network.Network) bool

// filters reads KEY=VALUE filters: those of one key are alternatives, but labels must all be there; those of different keys
// must all hold.
func (s *Service) filters(ctx context.Context, list, keys []string) (test, error) {
	byKey := map[string][]test{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errs.Invalid("filter input must be in the form of filter=value: %s is invalid", text)
		}
		if !slices.Contains(keys, key) {
			return nil, errs.WithHint(errs.Invalid("invalid filter %q%s", key, errs.DidYouMean(key, keys)), "there are %s", strings.Join(keys, ", "))
		}
		t, err := s.filter(ctx, key, value)
		if err != nil {
			return nil, err
		}
		byKey[key] = append(byKey[key], t)
	}
	return func(n network.Network) bool {
		for key, tests := range byKey {
			passed := func(t test) bool { return t(n) }
			failed := func(t test) bool { return !t(n) }
			if strings.HasPrefix(key, "label") && slices.ContainsFunc(tests, failed) || !slices.ContainsFunc(tests, passed) {
				return false
			}
		}
		return true
	}, nil
}

func (s *Service) filter(ctx context.Context, key, value string) (test, error) {
	switch key {
	case "driver":
		return func(n network.Network) bool { return n.Driver == value }, nil
	case "id":
		return func(n network.Network) bool { return strings.HasPrefix(n.ID, strings.ToLower(value)) }, nil
	case "label", "label!":
		return func(n network.Network) bool { return hasLabel(n, value) == (key == "label") }, nil
	case "name":
		form, err := regexp.Compile(value)
		if err != nil {
			return nil, errs.Invalid("filter name=%s: %v", value, err)
		}
		return func(n network.Network) bool { return form.MatchString(n.Name) }, nil
	case "until":
		at, err := moment.Parse(value, time.Now())
		if err != nil {
			return nil, errs.Invalid("filter until=%s: %v", value, err)
		}
		return func(n network.Network) bool { return n.Created.Before(at) }, nil
	}
	want, err := strconv.ParseBool(value) // dangling
	if err != nil {
		return nil, errs.Invalid("invalid dangling filter value %q: it is true or false", value)
	}
	users, err := s.Containers.NetworkUsers(ctx)
	if err != nil {
		return nil, err
	}
	return func(n network.Network) bool {
		used := n.Name == s.Store.Default.Name || len(on(n, users)) > 0
		return used != want
	}, nil
}

// hasLabel reports whether a label is KEY or KEY=VALUE; KEY may have * as in path.Match.
func hasLabel(n network.Network, want string) bool {
	key, value, valued := strings.Cut(want, "=")
	for k, v := range n.Labels {
		if ok, _ := path.Match(key, k); (ok || k == key) && (!valued || v == value) {
			return true
		}
	}
	return false
}
