package images

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/moment"
	"hull.dev/hull/pkg/reference"
)

// filterKeys are those of podman-images(1).
var filterKeys = []string{
	"after", "before", "containers", "dangling", "digest", "id", "intermediate", "label", "label!", "manifest", "readonly",
	"reference", "since", "until",
}

// test is one filter.
type test func(*member) bool

// filterSet holds tests by key: of one key any has to pass, of label and label! all.
type filterSet map[string][]test

func (s filterSet) asks(key string) bool { return len(s[key]) > 0 }

func (s filterSet) pass(m *member) bool {
	for key, tests := range s {
		passed := func(t test) bool { return t(m) }
		failed := func(t test) bool { return !t(m) }
		if strings.HasPrefix(key, "label") && slices.ContainsFunc(tests, failed) {
			return false
		}
		if !slices.ContainsFunc(tests, passed) {
			return false
		}
	}
	return true
}

func (s *Service) filters(ctx context.Context, f *family, list []string) (filterSet, error) {
	out := filterSet{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if not, negated := strings.CutPrefix(text, "label!="); negated {
			key, value = "label!", not
		}
		if !ok {
			return nil, errs.Invalid("invalid image filter %q: must be in the format %q", text, "filter=value")
		}
		if !slices.Contains(filterKeys, key) {
			return nil, errs.WithHint(errs.Invalid("unsupported image filter %q%s", key, errs.DidYouMean(key, filterKeys)),
				"there are %s", strings.Join(filterKeys, ", "))
		}
		t, err := s.filter(ctx, f, key, value)
		if err != nil {
			return nil, err
		}
		out[key] = append(out[key], t)
	}
	return out, nil
}

func (s *Service) filter(ctx context.Context, f *family, key, value string) (test, error) {
	switch key {
	case "dangling":
		return boolean(key, value, f.dangling)
	case "intermediate":
		return boolean(key, value, f.intermediate)
	case "readonly":
		return boolean(key, value, func(m *member) bool { return m.ReadOnly })
	case "manifest":
		return boolean(key, value, func(m *member) bool { return m.list })
	case "containers":
		return f.used(value)
	case "id":
		value = strings.TrimPrefix(value, "sha256:")
		return func(m *member) bool { return strings.HasPrefix(m.ID, value) }, nil
	case "digest":
		return func(m *member) bool {
			return slices.ContainsFunc(m.Digests, func(d string) bool { return strings.HasPrefix(d, value) })
		}, nil
	case "label", "label!":
		return func(m *member) bool { return hasLabel(m, value) == (key == "label") }, nil
	case "reference":
		return s.byReference(ctx, value), nil
	case "until":
		limit, err := until(value)
		return func(m *member) bool { return m.created().Before(limit) }, err
	}
	img, _, err := s.layers.Image(ctx, value) // before, after, since
	if err != nil {
		return nil, err
	}
	m := f.find(img.ID)
	if m == nil {
		return nil, errs.NotFound("%s: image not known", value)
	}
	limit := m.created()
	if key == "before" {
		return func(m *member) bool { return m.created().Before(limit) }, nil
	}
	return func(m *member) bool { return m.created().After(limit) }, nil
}

func boolean(key, value string, is test) (test, error) {
	want, err := strconv.ParseBool(value)
	if err != nil {
		return nil, errs.Invalid("image filter %q is true or false, not %q", key, value)
	}
	return func(m *member) bool { return is(m) == want }, nil
}

// used is the filter containers: true, false, or external for containers of other engines.
func (f *family) used(value string) (test, error) {
	if value != "external" {
		return boolean("containers", value, func(m *member) bool { return m.users > 0 })
	}
	return func(m *member) bool {
		for _, c := range f.Containers {
			if !c.Ours && c.ImageID == m.ID {
				return true
			}
		}
		return false
	}, nil
}

func hasLabel(m *member, want string) bool {
	key, value, given := strings.Cut(want, "=")
	have, ok := m.config.Config.Labels[key]
	return ok && (!given || have == value)
}

// byReference matches what the value resolves to, and names by pattern (path.Match), with and without registry, path and
// tag.
func (s *Service) byReference(ctx context.Context, pattern string) test {
	resolved := ""
	if img, _, err := s.layers.Image(ctx, pattern); err == nil {
		resolved = img.ID
	}
	return func(m *member) bool {
		if m.ID == resolved {
			return true
		}
		return slices.ContainsFunc(m.Names, func(name string) bool { return matchesName(pattern, name) })
	}
}

func matchesName(pattern, name string) bool {
	ref, err := reference.Parse(name)
	if err != nil {
		return name == pattern
	}
	tail := strings.TrimPrefix(ref.String(), ref.Name()) // :TAG or @DIGEST
	base := path.Base(ref.Path)
	for _, form := range []string{name, ref.Name(), ref.Path, ref.Path + tail, base, base + tail} {
		if ok, err := path.Match(pattern, form); ok && err == nil {
			return true
		}
	}
	return false
}

// until reads the value of the filter.
func until(value string) (time.Time, error) {
	at, err := moment.Parse(value, time.Now())
	if err != nil {
		return at, errs.Invalid("image filter \"until\": %v", err)
	}
	return at, nil
}
