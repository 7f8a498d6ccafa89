package system

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// ReadEvents calls fn with the events that o asks for, oldest first. With Follow it returns at Until or when ctx ends.
func (s *Service) ReadEvents(ctx context.Context, o define.EventsOptions, fn func(define.Event) error) error {
	if s.Events.Path == "" {
		return errs.WithHint(errs.Invalid(`cannot read events with the "none" backend`), "--events-backend=file keeps them")
	}
	match, err := eventFilters(o.Filters)
	if err != nil {
		return err
	}
	if o.Follow && !o.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, o.Until)
		defer cancel()
	}
	err = s.Events.Read(ctx, o.Follow, func(line []byte) error {
		var e define.Event
		if json.Unmarshal(line, &e) != nil {
			return nil //nolint:nilerr // cut by a full disk, or of a newer hull
		}
		if e.Time.Before(o.Since) || !o.Until.IsZero() && e.Time.After(o.Until) || !match(&e) {
			return nil
		}
		return fn(e)
	})
	if errors.Is(ctx.Err(), context.Canceled) { // a signal, and not the end of the time asked for
		return ctx.Err()
	}
	return err
}

// eventTests are the keys of --filter. An object's name is whole, its id may be a beginning.
var eventTests = map[string]func(e *define.Event, value string) bool{
	"container": func(e *define.Event, v string) bool { return isObject(e, "container", v) },
	"image":     func(e *define.Event, v string) bool { return isObject(e, "image", v) },
	"pod":       func(e *define.Event, v string) bool { return isObject(e, "pod", v) },
	"volume":    func(e *define.Event, v string) bool { return isObject(e, "volume", v) },
	"network":   func(e *define.Event, v string) bool { return isObject(e, "network", v) },
	"type":      func(e *define.Event, v string) bool { return e.Type == v },
	"event":     func(e *define.Event, v string) bool { return e.Status == status(v) },
	"label": func(e *define.Event, v string) bool {
		key, value, _ := strings.Cut(v, "=")
		has, ok := e.Attributes[key]
		return ok && has == value
	},
}

func isObject(e *define.Event, kind, ref string) bool {
	return e.Type == kind && ref != "" && (e.Name == ref || strings.HasPrefix(e.ID, ref))
}

// status is an event's name for docker's.
func status(word string) string {
	switch word {
	case "die":
		return "died"
	case "destroy", "rm":
		return "remove"
	}
	return word
}

// eventFilters reads KEY=VALUE filters: those of one key are alternatives, those of different keys must all hold.
func eventFilters(list []string) (func(*define.Event) bool, error) {
	wanted := map[string][]string{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errs.Invalid("filter %q is not KEY=VALUE", text)
		}
		key = strings.ToLower(key)
		if _, known := eventTests[key]; !known {
			keys := slices.Sorted(maps.Keys(eventTests))
			return nil, errs.WithHint(errs.Invalid("%q is an invalid filter%s", key, errs.DidYouMean(key, keys)), "there are %s", strings.Join(keys, ", "))
		}
		wanted[key] = append(wanted[key], value)
	}
	return func(e *define.Event) bool {
		for key, values := range wanted {
			if !slices.ContainsFunc(values, func(v string) bool { return eventTests[key](e, v) }) {
				return false
			}
		}
		return true
	}, nil
}
