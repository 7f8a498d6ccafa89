// Package networks is the engine's service for networks: what podman-network(1) does with their definitions. What
// containers do on them is hull-net's work.
package networks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/events"
	"hull.dev/hull/pkg/network"
)

// Containers is what networks need of the containers.
type Containers interface {
	// NetworkUsers are all containers that were made for networks, one for each network of each.
	NetworkUsers(ctx context.Context) ([]define.NetworkUser, error)
	Remove(ctx context.Context, ref string, o define.RemoveOptions) error
}

// Running is what has networks in use.
type Running interface {
	// NetworkChanged tells that a definition is another now.
	NetworkChanged(ctx context.Context, n network.Network) error
}

// Service has the acts on networks.
type Service struct {
	Store      *network.Store
	Containers Containers
	Running    Running // nil: nothing that would have to know
	Events     *events.Log
	Warn       func(string)
}

// Create makes a network and returns it.
func (s *Service) Create(ctx context.Context, o define.NetworkCreateOptions) (define.Network, error) {
	n, err := parse(o)
	if err != nil {
		return define.Network{}, err
	}
	made, err := s.Store.Create(ctx, n)
	if o.Ignore && errdefs.IsAlreadyExists(err) {
		made, err = s.Store.Get(ctx, o.Name)
		return report(made), err
	}
	if err != nil {
		return define.Network{}, err
	}
	s.event(made, "create")
	return report(made), nil
}

// List returns the networks that pass the filters, sorted by name. Files that are broken are warned of.
func (s *Service) List(ctx context.Context, filters []string) ([]define.Network, error) {
	all, err := s.filtered(ctx, filters, listKeys)
	if err != nil {
		return nil, err
	}
	list := make([]define.Network, 0, len(all))
	for _, n := range all {
		list = append(list, report(n))
	}
	return list, nil
}

// filtered are the networks that pass filters with the keys.
func (s *Service) filtered(ctx context.Context, filters, keys []string) ([]network.Network, error) {
	match, err := s.filters(ctx, filters, keys)
	if err != nil {
		return nil, err
	}
	all, broken, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, err := range broken {
		s.Warn(err.Error())
	}
	return slices.DeleteFunc(all, func(n network.Network) bool { return !match(n) }), nil
}

// Exists reports whether there is a network of this name or id.
func (s *Service) Exists(ctx context.Context, ref string) (bool, error) {
	_, err := s.Store.Get(ctx, ref)
	if errs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Inspect returns a network with the containers that run on it.
func (s *Service) Inspect(ctx context.Context, ref string) (define.NetworkInspect, error) {
	n, err := s.Store.Get(ctx, ref)
	if err != nil {
		return define.NetworkInspect{}, err
	}
	users, err := s.Containers.NetworkUsers(ctx)
	if err != nil {
		return define.NetworkInspect{}, err
	}
	found := define.NetworkInspect{Network: report(n), Containers: map[string]define.NetworkContainer{}}
	for _, u := range on(n, users) {
		if u.Running {
			found.Containers[u.ID] = define.NetworkContainer{Name: u.Name, Interfaces: u.Interfaces}
		}
	}
	return found, nil
}

// on are the users of one network.
func on(n network.Network, users []define.NetworkUser) []define.NetworkUser {
	var list []define.NetworkUser
	for _, u := range users {
		if u.Network == n.Name || u.Network == n.ID {
			list = append(list, u)
		}
	}
	return list
}

// Remove removes a network, with Force the containers on it too. An error of class errdefs.ErrConflict says that it is in
// use.
func (s *Service) Remove(ctx context.Context, ref string, o define.NetworkRemoveOptions) error {
	if o.Force {
		if err := s.removeUsers(ctx, ref, o.Timeout); err != nil {
			return err
		}
	}
	n, err := s.Store.Remove(ctx, ref, func(n network.Network) error {
		users, err := s.Containers.NetworkUsers(ctx)
		if err == nil && len(on(n, users)) > 0 {
			err = inUse(n, on(n, users))
		}
		return err
	})
	if err != nil {
		return err
	}
	s.event(n, "remove")
	return nil
}

func inUse(n network.Network, users []define.NetworkUser) error {
	return errs.WithHint(errs.Conflict("%q has associated containers with it. Use -f to forcibly delete containers and pods: network is being used", n.Name),
		"container %s is on it", users[0].Name)
}

// removeUsers removes the containers on a network. The default network keeps its own: it cannot go anyhow.
func (s *Service) removeUsers(ctx context.Context, ref string, timeout *uint) error {
	n, err := s.Store.Get(ctx, ref)
	if err != nil || n.Name == s.Store.Default.Name {
		return err
	}
	users, err := s.Containers.NetworkUsers(ctx)
	if err != nil {
		return err
	}
	for _, u := range on(n, users) {
		err := s.Containers.Remove(ctx, u.ID, define.RemoveOptions{Force: true, Depend: true, Timeout: timeout})
		if err != nil && !errs.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// Prune removes the networks that no container is on and that pass the filters, and returns their names. What can go,
// goes; the errors are those of the rest.
func (s *Service) Prune(ctx context.Context, filters []string) ([]string, []error) {
	all, err := s.filtered(ctx, filters, pruneKeys)
	if err != nil {
		return nil, []error{err}
	}
	users, err := s.Containers.NetworkUsers(ctx)
	if err != nil {
		return nil, []error{err}
	}
	var gone []string
	var failed []error
	for _, n := range all {
		if n.Name == s.Store.Default.Name || len(on(n, users)) > 0 {
			continue
		}
		err := s.Remove(ctx, n.ID, define.NetworkRemoveOptions{})
		switch {
		case err == nil:
			gone = append(gone, n.Name)
		case !errs.IsConflict(err) && !errs.IsNotFound(err): // else another command was faster
			failed = append(failed, err)
		}
	}
	return gone, failed
}

// Update changes the servers that a network's own asks.
func (s *Service) Update(ctx context.Context, ref string, o define.NetworkUpdateOptions) error {
	add, err := parseServers("--dns-add", o.AddDNS)
	if err != nil {
		return err
	}
	drop, err := parseServers("--dns-drop", o.DropDNS)
	if err != nil {
		return err
	}
	n, err := s.Store.Update(ctx, ref, func(n *network.Network) error {
		kept := slices.DeleteFunc(slices.Clone(n.DNSServers), func(a netip.Addr) bool { return slices.Contains(drop, a) })
		for _, a := range add {
			if !slices.Contains(kept, a) {
				kept = append(kept, a)
			}
		}
		n.DNSServers = kept
		return nil
	})
	if err != nil || s.Running == nil {
		return err
	}
	if err := s.Running.NetworkChanged(ctx, n); err != nil {
		return fmt.Errorf("network %s is changed, but its containers do not know yet: %w", n.Name, err)
	}
	return nil
}

func (s *Service) event(n network.Network, status string) {
	s.Events.Write(define.Event{
		Time: time.Now(), Type: "network", Status: status, ID: n.ID, Name: n.Name, Attributes: map[string]string{"driver": n.Driver},
	})
}
