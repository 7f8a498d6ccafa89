package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/ports"
	"hull.dev/hull/pkg/network/wire"
)

// restore makes what the last hull-net left right: names and ports of the containers that are attached, and what is missing
// of their links. What cannot be made is complained of, and the others go on.
func (s *Server) restore(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := map[string]bool{}
	for _, dir := range []string{wire.Leaving, wire.Attachments} {
		files, err := os.ReadDir(s.path(dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, f := range files {
			a, err := s.read(dir, f.Name())
			if err != nil {
				s.say(fmt.Sprintf("attachment %s: %v", f.Name(), err))
				continue
			}
			s.attached[a.ID], gone[a.ID] = a, dir == wire.Leaving
		}
	}
	if err := s.table.Apply(); err != nil {
		return err
	}
	for id, a := range s.attached {
		var err error
		if gone[id] || !netns.Mounted(a.NetNS) || unlent(a) { // a start that died, or a clean-up
			err = s.detach(id)
		} else {
			err = s.make(ctx, a)
		}
		if err != nil {
			s.say(fmt.Sprintf("container %s: %v", a.Name, err))
		}
	}
	return nil
}

func (s *Server) read(dir, name string) (*network.Attachment, error) {
	data, err := os.ReadFile(filepath.Join(s.path(dir), name))
	if err != nil {
		return nil, err
	}
	var a network.Attachment
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, err
	}
	if a.ID != name {
		return nil, fmt.Errorf("it is of container %q", a.ID)
	}
	return &a, nil
}

// report is what should be there and is not.
func (s *Server) report() *wire.Report {
	r := &wire.Report{}
	if text := s.way.trouble(); text != "" {
		r.Trouble = append(r.Trouble, text)
	}
	types, err := s.links.Types()
	if err != nil {
		r.Trouble = append(r.Trouble, err.Error())
		return r
	}
	for _, u := range s.networks {
		if u.made && u.network.Owned() && types[u.network.Interface] != "bridge" {
			r.Trouble = append(r.Trouble, fmt.Sprintf("network %s has no bridge %s", u.network.Name, u.network.Interface))
		}
	}
	for id, a := range s.attached {
		if s.leaving[id] {
			continue
		}
		for i := range a.Joins {
			if j := &a.Joins[i]; j.Network.Driver == network.DriverBridge && types[bridge.HostEnd(id, j)] == "" {
				r.Trouble = append(r.Trouble, fmt.Sprintf("container %s has no interface on network %s", a.Name, j.Network.Name))
			}
		}
	}
	r.Trouble = append(r.Trouble, s.rulesTrouble()...)
	slices.Sort(r.Trouble)
	return r
}

// rulesTrouble is what is wrong with the rules.
func (s *Server) rulesTrouble() []string {
	found := s.table.Check()
	if s.options.Root {
		return found
	}
	whole, err := ports.Check(s.inside)
	if err != nil {
		return append(found, fmt.Sprintf("look at the nftables rules of published ports: %v", err))
	}
	if !whole {
		found = append(found, "the nftables table inet "+ports.Name+" is not as it was made: published ports do not answer")
	}
	return found
}
