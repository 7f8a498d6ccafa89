package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/lockfile"
)

// Store is a folder of definitions: a file NAME.json each, mode 0600, written whole, and the lock of those who make and
// remove them. A file in it is read by every hull and hull-net of the user; it goes with "network rm".
type Store struct {
	Dir     string
	Default Default
	Pools   []Pool // where subnets come from
	Root    bool   // networks are the host's own
	Host    func() (Host, error)
}

// Default is the network of containers that ask for none. It is there without a file until a container needs it.
type Default struct {
	Name   string
	Subnet netip.Prefix
}

// lockName is no name of a definition.
const lockName = ".lock"

// lockWait bounds the wait for another command that makes or removes networks.
const lockWait = 90 * time.Second

// lock takes the folder for a change.
func (s *Store) lock(ctx context.Context) (*lockfile.Lock, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l, err := lockfile.Dir(s.Dir).Lock(wait, lockName)
	if err != nil {
		return nil, fmt.Errorf("change networks: %w", err)
	}
	return l, nil
}

// Hold keeps networks from being made and removed until release is called: for who writes down that it uses one.
func (s *Store) Hold(ctx context.Context) (release func(), err error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l, err := lockfile.Dir(s.Dir).Share(wait, lockName)
	if err != nil {
		return nil, fmt.Errorf("use networks: %w", err)
	}
	return l.Unlock, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.Dir, name+suffix) }

// List returns all networks, sorted by name, the default one among them, and an error for each file that is broken.
func (s *Store) List(ctx context.Context) (all []Network, broken []error, err error) {
	all, broken, err = s.files()
	if err != nil {
		return nil, nil, err
	}
	n, moved, err := s.implicit(all)
	if err != nil {
		return nil, nil, err
	}
	if moved {
		l, err := s.lock(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer l.Unlock()
		return s.locked(ctx)
	}
	return sorted(all, n), broken, nil
}

// locked is List for the holder of the lock: a default network that had to move gets its file.
func (s *Store) locked(context.Context) (all []Network, broken []error, err error) {
	all, broken, err = s.files()
	if err != nil {
		return nil, nil, err
	}
	n, moved, err := s.implicit(all)
	if err == nil && moved {
		err = s.keep(n)
	}
	if err != nil {
		return nil, nil, err
	}
	return sorted(all, n), broken, nil
}

// sorted is the list by name, with another network if there is one.
func sorted(all []Network, more *Network) []Network {
	if more != nil {
		all = append(all, *more)
	}
	slices.SortFunc(all, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// files reads the definitions that have files.
func (s *Store) files() (all []Network, broken []error, err error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read networks: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		n, err := readFile(s.path(name))
		switch {
		case errors.Is(err, os.ErrNotExist): // removed meanwhile
		case err != nil:
			broken = append(broken, err)
		default:
			all = append(all, n)
		}
	}
	return all, broken, nil
}

// Get returns the network of this name, or of this id or beginning of one. An error of class errdefs.ErrNotFound says that
// there is none, one of errdefs.ErrInvalidArgument that there are several or that its file is broken.
func (s *Store) Get(ctx context.Context, ref string) (Network, error) { return s.get(ctx, ref, s.List) }

func (s *Store) get(ctx context.Context, ref string, list func(context.Context) ([]Network, []error, error)) (Network, error) {
	if isName(ref) && len(ref) <= longestName {
		n, err := readFile(s.path(ref))
		if !errors.Is(err, os.ErrNotExist) {
			return n, err
		}
	}
	all, broken, err := list(ctx)
	if err != nil {
		return Network{}, err
	}
	var found []Network
	for _, n := range all {
		if n.Name == ref || n.ID == ref {
			return n, nil
		}
		if ref != "" && strings.HasPrefix(n.ID, ref) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		err := errs.NotFound("unable to find network with name or ID %s: network not found", ref)
		if len(broken) > 0 {
			return Network{}, errs.WithHint(err, "%v", broken[0])
		}
		if near := errs.Nearest(ref, namesOf(all)); near != "" {
			return Network{}, errs.WithHint(err, "did you mean %q? hull network ls lists what there is", near)
		}
		return Network{}, errs.WithHint(err, "hull network ls lists what there is")
	case 1:
		return found[0], nil
	}
	return Network{}, errs.Invalid("network ID %s is the beginning of several: %s and %s", ref, found[0].Name, found[1].Name)
}

// defaultWords mean the default network where no network has that name.
var defaultWords = []string{"bridge", "default", "podman"}

func namesOf(list []Network) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Name
	}
	return out
}

// Resolve is Get for --network of a container: the words for the default network mean it where no network has that name.
func (s *Store) Resolve(ctx context.Context, ref string) (Network, error) {
	if slices.Contains(defaultWords, ref) && !s.hasFile(ref) {
		ref = s.Default.Name
	}
	return s.Get(ctx, ref)
}

// Use is Resolve for a container that is about to be on the network: the default network gets its file, so that it stays
// as it is while containers are on it.
func (s *Store) Use(ctx context.Context, ref string) (Network, error) {
	n, err := s.Resolve(ctx, ref)
	if err == nil && n.Name == s.Default.Name && !s.hasFile(n.Name) {
		err = s.keep(&n)
	}
	return n, err
}

func (s *Store) hasFile(name string) bool {
	_, err := os.Lstat(s.path(name))
	return err == nil
}

// Create completes a definition and writes it. Of n only the name, the driver, the interface, subnets, routes, labels,
// options (docker's names for them too), the drivers of addresses and the switches are looked at. What is asked for and
// cannot be is an error of class errdefs.ErrInvalidArgument, of errdefs.ErrAlreadyExists for the name, and of
// errdefs.ErrConflict for a subnet that is taken.
func (s *Store) Create(ctx context.Context, n Network) (Network, error) {
	if n.Name != "" {
		if err := CheckName(n.Name); err != nil {
			return Network{}, err
		}
	}
	l, err := s.lock(ctx)
	if err != nil {
		return Network{}, err
	}
	defer l.Unlock()
	s.sweep()
	w, err := s.world(ctx)
	if err != nil {
		return Network{}, err
	}
	if slices.ContainsFunc(w.all, func(o Network) bool { return o.Name == n.Name }) {
		return Network{}, nameTaken(n.Name)
	}
	if err := w.complete(&n); err != nil {
		return Network{}, err
	}
	failpoint.Hit("network-create/completed")
	err = writeNew(s.path(n.Name), &n)
	if errors.Is(err, os.ErrExist) { // it is broken
		return Network{}, nameTaken(n.Name)
	}
	failpoint.Hit("network-create/written")
	return n, err
}

func nameTaken(name string) error {
	return errs.WithHint(errs.Exists("network name %s already used: network already exists", name), "--ignore is content with the one that is there")
}

// Update changes a network by fn and returns what it is then. If fn or what it makes of the network is wrong, nothing has
// changed.
func (s *Store) Update(ctx context.Context, ref string, fn func(*Network) error) (Network, error) {
	l, err := s.lock(ctx)
	if err != nil {
		return Network{}, err
	}
	defer l.Unlock()
	s.sweep()
	n, err := s.get(ctx, ref, s.locked)
	if err != nil {
		return n, err
	}
	old, err := os.ReadFile(s.path(n.Name))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // the default network may have none
		return n, err
	}
	if err := fn(&n); err != nil {
		return n, err
	}
	if err := n.check(); err != nil {
		return n, err
	}
	data, err := encode(&n, old)
	if err != nil {
		return n, err
	}
	failpoint.Hit("network-update/checked")
	return n, atomicfile.Write(s.path(n.Name), data)
}

// Remove removes a network that unused lets go; nobody makes or removes one while it looks. The default network cannot go.
func (s *Store) Remove(ctx context.Context, ref string, unused func(Network) error) (Network, error) {
	l, err := s.lock(ctx)
	if err != nil {
		return Network{}, err
	}
	defer l.Unlock()
	s.sweep()
	n, err := s.get(ctx, ref, s.locked)
	if err != nil {
		return n, err
	}
	if n.Name == s.Default.Name {
		return n, errs.Invalid("default network %s cannot be removed", n.Name)
	}
	if err := unused(n); err != nil {
		return n, err
	}
	failpoint.Hit("network-rm/unused")
	err = os.Remove(s.path(n.Name))
	failpoint.Hit("network-rm/removed")
	return n, err
}

// sweep removes what a process left that died while it wrote. Only the holder of the lock writes.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.Dir, ".*"+suffix+".*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}
