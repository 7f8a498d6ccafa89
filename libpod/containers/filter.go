package containers

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/moment"
)

// test says whether a container matches one filter.
type test func(*define.ListedContainer) bool

// filterMakers are the keys of --filter (podman-ps(1)).
var filterMakers = map[string]func(value string, all []*define.ListedContainer) (test, error){
	"id":       sure(prefix),
	"name":     byName,
	"label":    sure(byLabel),
	"label!":   sure(func(v string) test { return not(byLabel(v)) }),
	"exited":   byExit,
	"status":   byStatus,
	"ancestor": sure(byImage),
	"before":   func(v string, all []*define.ListedContainer) (test, error) { return byTime(v, all, time.Time.Before) },
	"since":    func(v string, all []*define.ListedContainer) (test, error) { return byTime(v, all, time.Time.After) },
	"until":    byAge,
	"volume":   sure(byVolume),
	"network":  sure(byNetwork),
	"command":  sure(byCommand),
	"restart-policy": func(v string, _ []*define.ListedContainer) (test, error) {
		if err := checkRestart(v); err != nil {
			return nil, err
		}
		return func(c *define.ListedContainer) bool { return orElse(c.Config.Options.Restart, "no") == v }, nil
	},
	"health": notBuilt("--filter health"),
	"pod":    notBuilt("--filter pod"),
	"should-start-on-boot": func(v string, _ []*define.ListedContainer) (test, error) {
		yes, err := strconv.ParseBool(v)
		if err != nil {
			return nil, errs.Invalid("filter should-start-on-boot=%s: true or false are there", v)
		}
		return func(c *define.ListedContainer) bool { return (c.Config.Options.Restart == "always") == yes }, nil
	},
}

// sure is a key that any value will do for.
func sure(by func(string) test) func(string, []*define.ListedContainer) (test, error) {
	return func(v string, _ []*define.ListedContainer) (test, error) { return by(v), nil }
}

func notBuilt(what string) func(string, []*define.ListedContainer) (test, error) {
	return func(string, []*define.ListedContainer) (test, error) { return nil, errs.NotBuilt(what) }
}

// Filters reads KEY=VALUE filters: those of one key are alternatives, those of different keys must all hold; all
// containers are there for filters that name one.
func Filters(list []string, all []*define.ListedContainer) (func(*define.ListedContainer) bool, error) {
	byKey := map[string][]test{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errs.Invalid("filter %q is not KEY=VALUE", text)
		}
		if strings.HasSuffix(key, "!") && key != "label!" {
			return nil, errs.Invalid("filter %q: only label can be negated", text)
		}
		maker, known := filterMakers[key]
		if !known {
			return nil, errs.Invalid("%q is an invalid filter%s", key, errs.DidYouMean(key, slices.Sorted(maps.Keys(filterMakers))))
		}
		t, err := maker(value, all)
		if err != nil {
			return nil, err
		}
		byKey[key] = append(byKey[key], t)
	}
	return func(c *define.ListedContainer) bool {
		for key, tests := range byKey {
			match := func(t test) bool { return t(c) }
			if strings.HasPrefix(key, "label") {
				if slices.ContainsFunc(tests, func(t test) bool { return !t(c) }) {
					return false // several labels must all be there
				}
			} else if !slices.ContainsFunc(tests, match) {
				return false
			}
		}
		return true
	}, nil
}

func not(t test) test { return func(c *define.ListedContainer) bool { return !t(c) } }

func prefix(id string) test {
	return func(c *define.ListedContainer) bool { return strings.HasPrefix(c.Config.ID, strings.ToLower(id)) }
}

func byName(value string, _ []*define.ListedContainer) (test, error) {
	form, err := regexp.Compile(value)
	if err != nil {
		return nil, errs.Invalid("filter name=%s: %v", value, err)
	}
	return func(c *define.ListedContainer) bool { return form.MatchString(c.Config.Name) }, nil
}

func byLabel(text string) test {
	has := labelled(text)
	return func(c *define.ListedContainer) bool { return has(c.Config.Labels) }
}

// labelled matches KEY, KEY=VALUE, the key with * as in path.Match.
func labelled(text string) func(map[string]string) bool {
	key, value, valued := strings.Cut(text, "=")
	return func(labels map[string]string) bool {
		for k, v := range labels {
			if ok, _ := path.Match(key, k); (ok || k == key) && (!valued || v == value) {
				return true
			}
		}
		return false
	}
}

func byExit(value string, _ []*define.ListedContainer) (test, error) {
	code, err := strconv.Atoi(value)
	if err != nil {
		return nil, errs.Invalid("filter exited=%s: an exit code is a number", value)
	}
	return func(c *define.ListedContainer) bool {
		return !c.Status.Alive() && !c.Exit.At.IsZero() && c.Exit.Code == code
	}, nil
}

var statuses = []string{"created", "exited", "initialized", "paused", "removing", "restarting", "running", "stopped", "stopping", "unknown"}

func byStatus(value string, _ []*define.ListedContainer) (test, error) {
	if value == "configured" {
		value = "created"
	}
	if !slices.Contains(statuses, value) {
		return nil, errs.Invalid("filter status=%s: %s are there%s", value, strings.Join(statuses, ", "), errs.DidYouMean(value, statuses))
	}
	return func(c *define.ListedContainer) bool {
		s := string(c.Status)
		return s == value || value == "stopped" && s == "exited" || value == "exited" && s == "stopped"
	}, nil
}

// byImage matches an image by id, name with or without tag, or the last part of a name.
func byImage(value string) test {
	return func(c *define.ListedContainer) bool {
		name := c.Config.ImageName
		if value == name || c.Config.ImageID != "" && strings.HasPrefix(c.Config.ImageID, value) {
			return true
		}
		if !strings.Contains(value, ":") {
			if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
				name = name[:i]
			}
		}
		return name == value || strings.HasSuffix(name, "/"+value)
	}
}

func byTime(ref string, all []*define.ListedContainer, order func(a, b time.Time) bool) (test, error) {
	for _, c := range all {
		if c.Config.Name == ref || strings.HasPrefix(c.Config.ID, ref) {
			return func(other *define.ListedContainer) bool { return order(other.Config.Created, c.Config.Created) }, nil
		}
	}
	return nil, errs.WithHint(errs.NotFound("no such container %q", ref), "hull ps --all lists what there is")
}

func byAge(value string, _ []*define.ListedContainer) (test, error) {
	at, err := moment.Parse(value, time.Now())
	if err != nil {
		return nil, errs.Invalid("filter until=%s: %v", value, err)
	}
	return func(c *define.ListedContainer) bool { return c.Config.Created.Before(at) }, nil
}

func byVolume(value string) test {
	return func(c *define.ListedContainer) bool {
		for _, v := range c.Config.Volumes {
			if v.Name == value || v.Dest == value {
				return true
			}
		}
		return slices.ContainsFunc(c.Config.Options.Mounts, func(m define.Mount) bool { return m.Source == value || m.Dest == value })
	}
}

func byNetwork(value string) test {
	return func(c *define.ListedContainer) bool {
		mode, _, _ := strings.Cut(c.Config.Network, ":")
		return c.Config.Network == value || mode == value ||
			slices.ContainsFunc(c.Config.Joins, func(j define.Join) bool { return j.Network == value || strings.HasPrefix(j.NetworkID, value) })
	}
}

func byCommand(value string) test {
	return func(c *define.ListedContainer) bool { return len(c.Config.Command) > 0 && c.Config.Command[0] == value }
}
