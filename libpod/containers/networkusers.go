package containers

import (
	"context"
	"slices"

	"hull.dev/hull/libpod/define"
)

// OnNetworks are the containers on networks.
type OnNetworks struct{ *Service }

// NetworkUsers are the containers that were made for networks, one for each network of each.
func (s OnNetworks) NetworkUsers(ctx context.Context) ([]define.NetworkUser, error) {
	all, err := s.List(ctx, true)
	if err != nil {
		return nil, err
	}
	var users []define.NetworkUser
	for _, c := range all {
		for _, j := range c.Config.Joins {
			u := define.NetworkUser{Network: j.NetworkID, ID: c.Config.ID, Name: c.Config.Name, Running: c.Status.Alive()}
			if i := slices.IndexFunc(c.Networks, func(n define.Joined) bool { return n.NetworkID == j.NetworkID }); i >= 0 {
				u.Interfaces = map[string]define.NetworkInterface{c.Networks[i].Interface: networkInterface(&c.Networks[i])}
			}
			users = append(users, u)
		}
	}
	return users, nil
}

func networkInterface(j *define.Joined) define.NetworkInterface {
	i := define.NetworkInterface{MacAddress: j.MAC}
	for n, address := range j.Addresses {
		a := define.NetworkAddress{IPNet: address}
		if n < len(j.Gateways) {
			a.Gateway = j.Gateways[n]
		}
		i.Subnets = append(i.Subnets, a)
	}
	return i
}
