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

// statusTime is how long hull-net may take to say how it is.
const statusTime = 3 * time.Second

// netTrouble is what is wrong with hull-net: it is not there and has to be, or misses what it has made.
func (s *Service) netTrouble(ctx context.Context) ([]string, error) {
	ids, err := idsIn(s.attachments())
	if err != nil {
		return nil, err
	}
	if !s.Net.Runs(ctx) {
		switch {
		case len(ids) > 0:
			return []string{fmt.Sprintf("hull-net does not run, and %d containers are on networks", len(ids))}, nil
		case s.netKilled():
			return []string{"hull-net was killed when no container was on a network any more, and what it held is there"}, nil
		}
		return nil, nil
	}
	if len(ids) == 0 {
		return nil, nil // it waits for the next container, and ends when none comes
	}
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

// repairNetworks has hull-net make what is missing. One that nobody is on ends, and takes the namespace with it.
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
