package bridge

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
)

// broadcastLimit is IFLA_MACVLAN_BC_CUTOFF (linux/if_link.h, from Linux 6.4 on), which the netlink library does not know: from
// how many macvlans on that are to have a broadcast it is handed on later, by a queue; -1 is never.
const broadcastLimit = 9

// limitBroadcasts sets that of a macvlan, from a thread in its namespace, if the network has one.
func limitBroadcasts(link netlink.Link, n *network.Network) error {
	text := n.Options[network.OptionBCLIM]
	if text == "" {
		return nil
	}
	limit, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return err
	}
	request := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(link.Attrs().Index)
	request.AddData(message)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(link.Type()))
	info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(broadcastLimit, nl.Uint32Attr(uint32(int32(limit))))
	request.AddData(info)
	if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("set --opt %s=%s: %w", network.OptionBCLIM, text, err)
	}
	there, err := hasBroadcastLimit(link.Attrs().Name)
	if err == nil && !there { // an older kernel passes over what it does not know
		err = errs.Invalid("--opt %s=%s needs Linux 6.4", network.OptionBCLIM, text)
	}
	return err
}

// hasBroadcastLimit reports whether the kernel says one of a macvlan, from a thread in its namespace.
func hasBroadcastLimit(name string) (bool, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	request.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	answers, err := request.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil || len(answers) == 0 || len(answers[0]) < unix.SizeofIfInfomsg {
		return false, err
	}
	attributes := answers[0][unix.SizeofIfInfomsg:]
	for _, kind := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA, broadcastLimit} {
		list, err := nl.ParseRouteAttr(attributes)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(list, func(a syscall.NetlinkRouteAttr) bool { return a.Attr.Type == kind })
		if i < 0 {
			return false, nil
		}
		attributes = list[i].Value
	}
	return true, nil
}
