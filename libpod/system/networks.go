package system

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network/wire"
)

// attachments is where hull-net keeps who is on networks.
func (s *Service) attachments() string { return filepath.Join(s.Net.Dir, wire.Attachments) }

// checkNetworks compares the networks with what hull-net has of them. The monitors start a hull-net that has died, which is
// a finding only when it stays away.
func (s *Service) checkNetworks(ctx context.Context) ([]define.Finding, error) {
	_, broken, err := s.Definitions.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []define.Finding
	for _, err := range broken {
		found = append(found, define.Finding{Text: err.Error()})
	}
	trouble, err := s.netTrouble(ctx)
	if wire.IsSilent(err) {
		trouble, err = []string{err.Error()}, nil
	}
	for _, text := range trouble {
		found = append(found, define.Finding{Text: text})
	}
	return found, err
}

// EnterNetworks puts the calling thread, which must be locked to its goroutine and execute a program next, into the network namespace of
// the user's bridges (podman-unshare(1), --rootless-netns).
func (s *Service) EnterNetworks(ctx context.Context) error { return s.Net.Visit(ctx) }

// statusTime is how long hull-net may take to say how it is.
const statusTime = 5 * time.Second

// netTrouble is what is wrong with hull-net: it is not there and has to be, or misses what it has made.
func (s *Service) netTrouble(ctx context.Context) ([]string, error) {
	ids, err := idsIn(s.attachments())
	if err != nil {
		return nil, err
	}
	switch runs := s.Net.Runs(ctx); {
	case !runs && len(ids) > 0:
		return []string{fmt.Sprintf("hull-net does not run, and %d containers are on networks", len(ids))}, nil
	case !runs && !s.netKilled(), runs && len(ids) == 0:
		return nil, nil // where it runs it waits for the next container, and ends when none comes
	}
	// One that was killed when no container was on a network any more has no monitor that starts the next: asking does.
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	answer, err := s.Net.Ask(ctx, wire.Request{Op: wire.Status})
	if err != nil {
		return nil, err
	}
	return answer.Report.Trouble, nil
}

// netKilled reports whether the last hull-net did not come to its end: that takes these away.
func (s *Service) netKilled() bool {
	if netns.Mounted(filepath.Join(s.Net.Dir, wire.Namespace)) {
		return true
	}
	_, err := os.Lstat(filepath.Join(s.Net.Dir, wire.PID))
	return err == nil
}

// repairNetworks has hull-net make what is missing.
func (s *Service) repairNetworks(ctx context.Context) error {
	trouble, err := s.netTrouble(ctx)
	if wire.IsSilent(err) {
		err = s.Net.Kill()
	} else if len(trouble) == 0 {
		return err
	}
	if err != nil {
		return err
	}
	_, err = s.Net.Ask(ctx, wire.Request{Op: wire.Reload})
	return err
}
