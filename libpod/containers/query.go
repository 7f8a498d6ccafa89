package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// PortText is published ports as ps prints them.
func PortText(ports []define.PortMapping) string {
	texts := make([]string, 0, len(ports))
	for _, p := range ports {
		ip := p.HostIP
		if ip == "" {
			ip = "0.0.0.0"
		}
		if p.Range > 1 {
			texts = append(texts, fmt.Sprintf("%s:%d-%d->%d-%d/%s", ip, p.HostPort, p.HostPort+p.Range-1, p.ContainerPort, p.ContainerPort+p.Range-1, p.Protocol))
			continue
		}
		texts = append(texts, fmt.Sprintf("%s:%d->%d/%s", ip, p.HostPort, p.ContainerPort, p.Protocol))
	}
	return strings.Join(texts, ", ")
}

var conditions = []string{"configured", "created", "exited", "initialized", "paused", "removing", "running", "stopped", "stopping"}

// WaitFor waits until a container is in one of the states, stopped or exited when none is named, and returns the exit
// code of its last run; -1 where it runs. The process' own end is waited for, other changes are looked for at each
// interval.
func (s *Service) WaitFor(ctx context.Context, ref string, states []string, interval time.Duration) (int, error) {
	if err := checkConditions(states); err != nil {
		return 0, err
	}
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return 0, err
	}
	id := row.Config.ID
	last := -1
	for {
		c, err := s.Lookup(ctx, id)
		if errs.IsNotFound(err) && len(states) == 0 { // it was removed with its end
			if code := s.endOfRemoved(ctx, id, last); code >= 0 {
				return code, nil
			}
		}
		if err != nil {
			return 0, err
		}
		if met(c, states) {
			return lastCode(c), nil
		}
		if len(states) == 0 && (c.PID != 0 || c.Status == define.StatusStopping) {
			if err := s.waitEnd(ctx, id); err != nil {
				return 0, err
			}
			if code, ok := s.exitCode(id); ok {
				last = code
			}
			continue
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(max(interval, time.Millisecond)):
		}
	}
}

// lastCode is the exit code of a container's last run, -1 while it runs.
func lastCode(c *define.Container) int {
	if c.Status.Alive() {
		return -1
	}
	return c.Exit.Code
}

// endOfRemoved is the exit code of a container that is gone: the last that was seen, or that of its event. It is -1 when
// there is none.
func (s *Service) endOfRemoved(ctx context.Context, id string, seen int) int {
	if seen >= 0 {
		return seen
	}
	return s.diedWith(ctx, id)
}

// diedWith is the exit code in the last event of a container's end, or -1.
func (s *Service) diedWith(ctx context.Context, id string) int {
	code := -1
	_ = s.Events.Read(ctx, false, func(line []byte) error {
		var e define.Event
		if bytes.Contains(line, []byte(id)) && json.Unmarshal(line, &e) == nil && e.ID == id && e.Status == "died" && e.ExitCode != nil {
			code = *e.ExitCode
		}
		return nil
	})
	return code
}

func checkConditions(states []string) error {
	for _, state := range states {
		if !slices.Contains(conditions, state) {
			return errs.Invalid("there is no condition %q%s: %s are there", state, errs.DidYouMean(state, conditions), strings.Join(conditions, ", "))
		}
	}
	return nil
}

func met(c *define.Container, states []string) bool {
	if len(states) == 0 {
		return !c.Status.Alive() || c.Status == define.StatusInitialized
	}
	return slices.ContainsFunc(states, func(state string) bool {
		switch state {
		case "configured", "created":
			return c.Status == define.StatusCreated
		case "stopped", "exited":
			return c.Status == define.StatusExited || c.Status == define.StatusStopped
		}
		return string(c.Status) == state
	})
}
