package network

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/ctrflags"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewCreate makes hull network create.
func NewCreate(d Deps) *cobra.Command {
	var o define.NetworkCreateOptions
	var labels, options []string
	var gateways []net.IP
	cmd := &cobra.Command{
		Use: "create [options] [NAME]", Short: "Create networks for containers and pods",
		Long: "Creates a network, a bridge unless --driver says otherwise, and prints its name. Subnets that are not given come from\n" +
			"default_subnet_pools of containers.conf; they are none that another network has or that the host has an address or a route in.",
		Example: "  hull network create backend\n  hull network create --subnet 10.7.0.0/24 --ip-range 10.7.0.128/25 --ipv6 backend\n" +
			"  hull network create --internal --opt isolate=true --label team=a backend",
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			o.Name = args[0]
		}
		if o.Ignore && o.Name == "" {
			return errs.Invalid("--ignore is about a network of a name: name it")
		}
		var err error
		if o.Labels, err = ctrflags.Pairs("--label", labels); err != nil {
			return err
		}
		if o.Options, err = ctrflags.Pairs("--opt", options); err != nil {
			return err
		}
		for _, ip := range gateways {
			o.Gateways = append(o.Gateways, ip.String())
		}
		e, err := d.Engine(cmd.Context())
		if err != nil {
			return err
		}
		made, err := e.Create(cmd.Context(), o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(d.Streams.Out, made.Name)
		return err
	}
	f := cmd.Flags()
	f.BoolVar(&o.DisableDNS, "disable-dns", false, "Disable the network's name server")
	lists.CommaVar(f, &o.DNS, "dns", "", "DNS servers that the network's name server asks")
	f.StringVarP(&o.Driver, "driver", "d", "bridge", "Driver to manage the network (bridge, macvlan, ipvlan)")
	f.IPSliceVar(&gateways, "gateway", nil, "IPv4 or IPv6 gateway for the subnet")
	f.BoolVar(&o.Ignore, "ignore", false, "Don't fail if the network already exists")
	f.StringVar(&o.Interface, "interface-name", "", "Name of the bridge, or of the parent interface of macvlan and ipvlan")
	f.BoolVar(&o.Internal, "internal", false, "Restrict external access from this network")
	lists.Var(f, &o.Ranges, "ip-range", "", "Allocate container IP from range")
	f.StringVar(&o.IPAMDriver, "ipam-driver", "", "IP address management driver (host-local, dhcp, none)")
	f.BoolVar(&o.IPv6, "ipv6", false, "Enable IPv6 networking")
	lists.Var(f, &labels, "label", "", "Set metadata on a network")
	lists.Var(f, &options, "opt", "o", "Set driver specific options")
	lists.Var(f, &o.Routes, "route", "", "Static routes of the containers, as DESTINATION,GATEWAY[,METRIC]")
	lists.Var(f, &o.Subnets, "subnet", "", "Subnets in CIDR format")
	return cmd
}
