package containers

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/safepath"
)

// execGrace is how old a session without a monitor is before it counts as left over: a starter may be at work on it.
const execGrace = time.Minute

// ExecRunning is an exec session that was started.
type ExecRunning struct {
	ID          string
	containerID string
	unrecorded  bool // there is no row
	service     *Service
	session     *monitor.Session
}

// Exec starts a process in a container that runs; nil streams start it detached.
func (s *Service) Exec(ctx context.Context, ref string, o define.ExecOptions, t *Streams) (*ExecRunning, error) {
	var c *define.Container
	session := &define.ExecSession{ID: newID(), Created: time.Now(), Options: o}
	err := s.withLocked(ctx, ref, func(l *locked) error {
		c = s.view(l.Container, l.run)
		if c.Status != define.StatusRunning {
			return errs.WithHint(errs.Conflict("can only create exec sessions on running containers: %q is %s", c.Config.Name, c.Status), "hull start %s", c.Config.Name)
		}
		session.ContainerID = c.Config.ID
		if o.NoSession {
			return nil
		}
		return s.State.AddExec(ctx, session)
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit("exec/recorded")
	running, err := s.startExec(ctx, c, session, t)
	if err != nil {
		undo, cancel := cleanup.Context(ctx)
		defer cancel()
		if now, lookErr := s.Lookup(undo, c.Config.ID); isNotFound(lookErr) || lookErr == nil && !now.Running() {
			err = errs.Conflict("container %q ended meanwhile", c.Config.Name) // instead of the runtime's guess
		}
		return nil, errors.Join(err, s.dropExec(undo, c.Config.ID, session.ID))
	}
	exec := &ExecRunning{ID: session.ID, unrecorded: o.NoSession, containerID: c.Config.ID, service: s, session: running}
	s.event(&c.Config, "exec", nil)
	return exec, nil
}

func (s *Service) execDir(containerID, id string) string {
	return filepath.Join(s.dir(containerID), "exec", id)
}

func (s *Service) startExec(ctx context.Context, c *define.Container, e *define.ExecSession, t *Streams) (*monitor.Session, error) {
	dir := s.execDir(c.Config.ID, e.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	process, err := s.execProcess(c, &e.Options)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(process)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "process.json")
	if err := atomicfile.WriteVolatile(file, data); err != nil {
		return nil, err
	}
	failpoint.Hit("exec/file")
	runtime, err := s.runtime(&c.Config)
	if err != nil {
		return nil, err
	}
	r := protocol.Request{
		Kind: protocol.KindExec, ID: c.Config.ID, Name: c.Config.Name, Dir: dir, Runtime: runtime.Path, RuntimeArgs: runtime.Args(),
		ProcessFile: file, Env: os.Environ(), Terminal: e.Options.TTY, Stdin: e.Options.Interactive, LogDriver: protocol.LogNone,
		Cleanup: append(slices.Clone(s.Self), "container", "cleanup", "--exec", e.ID, c.Config.ID),
	}
	t.ask(&r)
	session, err := s.Monitor.Start(ctx, r, t.files(e.Options.PreserveFDs, ""))
	failpoint.Hit("exec/started")
	return session, err
}

// execProcess is the process of an exec: the container's, with another command, and what the flags change.
func (s *Service) execProcess(c *define.Container, o *define.ExecOptions) (*specs.Process, error) {
	data, err := os.ReadFile(filepath.Join(c.Dir, "config.json"))
	if err != nil {
		return nil, err
	}
	var spec struct { // of specs.Spec: to learn all of its types takes longer than to read it
		Process *specs.Process `json:"process"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, err
	}
	p := spec.Process
	p.Args, p.Terminal, p.ConsoleSize = o.Command, o.TTY, nil
	if o.Workdir != "" {
		if _, err := safepath.Stat(c.Mount, o.Workdir); err != nil {
			return nil, errs.WithExit(errs.Invalid("the working directory %q is not in the container", o.Workdir), errs.ExitNotFound)
		}
		p.Cwd = o.Workdir
	}
	home := ""
	if o.User != "" {
		who, err := ocispec.LookupUser(c.Mount, o.User)
		if err != nil {
			return nil, err
		}
		umask := p.User.Umask
		p.User, home = ocispec.ProcessUser(who), who.Home
		p.User.Umask = umask
	}
	p.Env = execEnvironment(p.Env, o, home)
	if err := ocispec.ExecCapabilities(p, o.Privileged, o.User != ""); err != nil {
		return nil, err
	}
	return p, nil
}

func execEnvironment(env []string, o *define.ExecOptions, home string) []string {
	set := func(entries ...string) {
		for _, e := range entries {
			key, _, _ := strings.Cut(e, "=")
			env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, key+"=") })
			env = append(env, e)
		}
	}
	if home != "" {
		set("HOME=" + home)
	}
	if o.TTY && !slices.ContainsFunc(env, func(e string) bool { return len(e) > 5 && e[:5] == "TERM=" }) {
		set("TERM=xterm")
	}
	set(o.Env...)
	return env
}

// dropExec forgets a session and its folder.
func (s *Service) dropExec(ctx context.Context, containerID, id string) error {
	if err := os.RemoveAll(s.execDir(containerID, id)); err != nil {
		return err
	}
	failpoint.Hit("exec/folder")
	return s.State.RemoveExec(ctx, id)
}

// CleanupExec is dropExec for the monitor of a session whose client is gone.
func (s *Service) CleanupExec(ctx context.Context, ref, id string) error {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	return s.dropExec(ctx, row.Config.ID, id)
}

// mendExecs drops the sessions whose monitor has died.
func (s *Service) mendExecs(ctx context.Context, c *locked) error {
	sessions, err := s.State.Execs(ctx, c.id())
	if err != nil {
		return err
	}
	for _, e := range sessions {
		dir := s.execDir(c.id(), e.ID)
		if alive, _ := protocol.Alive(dir); alive {
			continue
		}
		if _, err := protocol.ReadStatus(dir); err != nil && time.Since(e.Created) < execGrace {
			continue
		}
		if err := s.dropExec(ctx, c.id(), e.ID); err != nil {
			return err
		}
	}
	return nil
}

// Wait copies the streams until the process has ended.
func (r *ExecRunning) Wait(ctx context.Context, t *Streams) (define.Exit, error) {
	return attach(ctx, r.session, t)
}

// Restored says that the caller has put its terminal back.
func (r *ExecRunning) Restored() { _ = r.session.Restored() }

// Done forgets the session after its end, in the monitor's stead.
func (r *ExecRunning) Done(ctx context.Context) error {
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	if r.unrecorded {
		return errors.Join(os.RemoveAll(r.service.execDir(r.containerID, r.ID)), r.session.Cleaned())
	}
	return errors.Join(r.service.dropExec(undo, r.containerID, r.ID), r.session.Cleaned())
}

// Close lets go of the monitor.
func (r *ExecRunning) Close() error { return r.session.Close() }
