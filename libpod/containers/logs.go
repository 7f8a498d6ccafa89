package containers

import (
	"context"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/logread"
	"hull.dev/hull/pkg/moment"
)

// Logs calls yield with the lines of a container's log. With Follow it goes on until the container has ended or ctx ends;
// a container that does not run has nothing to follow. A container without a log that can be read is an error.
func (s *Service) Logs(ctx context.Context, ref string, o define.LogsOptions, yield func(define.LogLine) error) error {
	c, err := s.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	from := logread.Source{Driver: c.Config.Options.LogDriver, Path: s.logPath(&c.Config), Container: c.Config.ID}
	if from.Driver == protocol.LogJournald {
		from.Path = ""
	}
	read := logread.Options{Since: o.Since, Until: o.Until, Tail: o.Tail, All: o.Tail < 0, Follow: o.Follow && c.Status.Alive()}
	ctx, cancel := context.WithCancel(ctx)
	ended, waited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(waited)
		// Whatever ends the wait, the log is read once more after it: the monitor says that a container has exited when
		// its log is whole.
		if read.Follow && s.waitEnd(ctx, c.Config.ID) == nil {
			close(ended)
		}
	}()
	defer func() {
		cancel()
		<-waited
	}()
	read.Done = ended
	return logread.Read(ctx, from, read, func(e logread.Entry) error {
		return yield(define.LogLine{Time: e.Time, Stderr: e.Stream == "stderr", Text: e.Line, Partial: e.Partial})
	})
}

// CheckLogs is the error that Logs would begin with, for a caller that wants to know before it prints anything.
func (s *Service) CheckLogs(ctx context.Context, ref string) (define.ContainerConfig, error) {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return define.ContainerConfig{}, err
	}
	return row.Config, logread.Check(row.Config.Options.LogDriver)
}

// ParseUntil reads the moment of --until as podman does: a duration is from now on, so that a follower stops after it, and
// one in the past is negative. All else is as in moment.Parse.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return moment.Parse(text, now)
}
