package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"time"
)

// defaultBridge is the bridge of the default network.
const defaultBridge = "hull0"

// implicit is the default network where no file tells about it, else nil. all are the networks that have files. moved says
// that it cannot be as the configuration has it, since its subnet or its bridge is taken: it needs a file, so that it is
// not another one tomorrow.
func (s *Store) implicit(all []Network) (n *Network, moved bool, err error) {
	if s.Default.Name == "" || slices.ContainsFunc(all, func(n Network) bool { return n.Name == s.Default.Name }) {
		return nil, false, nil
	}
	if s.hasFile(s.Default.Name) { // it is broken
		return nil, false, nil
	}
	host, err := s.readHost()
	if err != nil {
		return nil, false, err
	}
	w := &world{all, host, s.Root, s.Pools}
	sum := sha256.Sum256([]byte(s.Default.Name))
	n = &Network{
		Name: s.Default.Name, ID: hex.EncodeToString(sum[:]), Driver: DriverBridge, Interface: defaultBridge, Created: time.Now().Round(0),
		IPAM: map[string]string{IPAMDriver: IPAMHostLocal},
	}
	p := s.Default.Subnet
	if _, taken := overlaps(p, slices.Concat(w.prefixes(), host.Addresses, host.Routes)); taken {
		if other, err := w.free4(); err == nil { // else nothing is free, and the one asked for is as good
			p, moved = other, true
		}
	}
	if w.hasInterface(defaultBridge) {
		n.Interface, moved = w.freeInterface(false), true
	}
	n.IPv6 = p.Addr().Is6()
	n.Subnets = []Subnet{{Prefix: p, Gateway: firstOf(p)}}
	return n, moved, nil
}

// keep gives the default network a file. Where there is one already, n is what it holds.
func (s *Store) keep(n *Network) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	err := writeNew(s.path(n.Name), n)
	if errors.Is(err, os.ErrExist) {
		*n, err = readFile(s.path(n.Name))
	}
	return err
}

// world is what a new network has to fit in, for the holder of the lock.
func (s *Store) world(ctx context.Context) (*world, error) {
	all, _, err := s.locked(ctx)
	if err != nil {
		return nil, err
	}
	host, err := s.readHost()
	return &world{all, host, s.Root, s.Pools}, err
}

func (s *Store) readHost() (Host, error) {
	if s.Host != nil {
		return s.Host()
	}
	return ReadHost()
}
