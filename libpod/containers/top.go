package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/processes"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/safepath"
)

// TopDescriptors are the columns that Top knows.
func TopDescriptors() []string { return processes.Descriptors() }

// Top returns the processes of a container that runs, as lines of cells, the heading first. Words are descriptors
// (podman-top(1)); when one is none of them, all are arguments for the container's own ps, whose lines have one cell.
func (s *Service) Top(ctx context.Context, ref string, words []string) ([][]string, error) {
	c, err := s.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	if c.Status != define.StatusRunning || c.PID == 0 {
		return nil, errs.WithHint(errs.Conflict("top can only be used on running containers: %q is %s", c.Config.Name, c.Status), "hull ps lists those that run")
	}
	descriptors, err := processes.Parse(words)
	if errors.Is(err, processes.ErrUnknown) {
		return s.ps(ctx, c, words)
	}
	if err != nil {
		return nil, err
	}
	const most = 16 << 20
	of := processes.Of{Init: c.PID, Rootless: !s.Root}
	root := fmt.Sprintf("/proc/%d/root", c.PID)                 // with what is mounted over the files of the image
	of.Passwd, _ = safepath.ReadFile(root, "/etc/passwd", most) // without it users are numbers
	of.Group, _ = safepath.ReadFile(root, "/etc/group", most)
	rows, err := processes.Table(of, descriptors, time.Now())
	return rows, explain("list the processes of", &c.Config, err)
}

// ps runs ps(1) in the container.
func (s *Service) ps(ctx context.Context, c *define.Container, words []string) ([][]string, error) {
	var out, complaint bytes.Buffer
	t := &Streams{Stdout: &out, Stderr: &complaint}
	command := append([]string{"ps"}, words...)
	r, err := s.Exec(ctx, c.Config.ID, define.ExecOptions{Command: command}, t)
	if err != nil {
		_, unknown := processes.Parse(words)
		return nil, errs.WithExit(errs.WithHint(fmt.Errorf("%w, and ps cannot be run in container %q: %w", unknown, c.Config.Name, err),
			"hull top --help lists the descriptors"), errs.ExitEngine)
	}
	defer r.Close() // a connection that was read to its end
	exit, err := r.Wait(ctx, t)
	if err = errors.Join(err, r.Done(ctx)); err != nil {
		return nil, err
	}
	if exit.Code != 0 {
		text, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, fmt.Errorf("ps in container %q ended with code %d: %s", c.Config.Name, exit.Code, text)
	}
	var rows [][]string
	for line := range strings.Lines(out.String()) {
		rows = append(rows, []string{strings.TrimRight(line, "\n")})
	}
	own := strings.Join(command, " ")
	return slices.DeleteFunc(rows, func(row []string) bool { return strings.Contains(row[0], own) }), nil
}
