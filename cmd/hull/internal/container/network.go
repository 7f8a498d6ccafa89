package container

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
)

// NewConnect makes "hull network connect".
func NewConnect(d Deps) *cobra.Command {
	var j define.Join
	var ip, ip6 net.IP
	cmd := &cobra.Command{
		Use: "connect [options] NETWORK CONTAINER", Short: "Add container to a network",
		Long:    "Puts a container on one more network. One that runs has the interface at once, and is found there by its names.",
		Example: "  hull network connect backend web\n  hull network connect --alias db --ip 10.89.1.8 backend web",
		Args:    cobra.ExactArgs(2),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		j.Network = args[0]
		for _, one := range []net.IP{ip, ip6} {
			if one != nil {
				j.IPs = append(j.IPs, one.String())
			}
		}
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		return e.Connections.Connect(ctx, args[1], j)
	}
	fs := cmd.Flags()
	lists.CommaVar(fs, &j.Aliases, "alias", "", "Network scoped alias for container")
	fs.IPVar(&ip, "ip", nil, "Set a static IPv4 address for this container network")
	fs.IPVar(&ip6, "ip6", nil, "Set a static IPv6 address for this container network")
	fs.StringVar(&j.MAC, "mac-address", "", "Set a static MAC address for this container network")
	return cmd
}

// NewDisconnect makes "hull network disconnect".
func NewDisconnect(d Deps) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "disconnect [options] NETWORK CONTAINER", Short: "Disconnect a container from a network",
		Long:    "Takes a container off a network. From one that runs the interface goes at once, and so do its names there.",
		Example: "  hull network disconnect backend web",
		Args:    cobra.ExactArgs(2),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		return e.Connections.Disconnect(ctx, args[1], args[0], force)
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not fail when the container or the network is not there")
	return cmd
}

// NewReload makes "hull network reload".
func NewReload(d Deps) *cobra.Command {
	var p pick
	cmd := &cobra.Command{
		Use: "reload [options] [CONTAINER...]", Short: "Reload firewall rules for one or more containers",
		Long:    "Makes the links, rules and published ports of running containers anew, after another program has taken some of them away.",
		Example: "  hull network reload web\n  hull network reload --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		refs, err := p.refs(ctx, e, args, (*define.ListedContainer).Running)
		if err != nil {
			return err
		}
		return errors.Join(containers.Each(refs, func(ref string) error {
			id, err := e.Connections.Reload(ctx, ref)
			if err == nil {
				_, err = fmt.Fprintln(d.Streams.Out, id)
			}
			return err
		})...)
	}
	p.addAll(cmd.Flags(), "Reload network configuration of all running containers")
	p.addLatest(cmd.Flags())
	return cmd
}
