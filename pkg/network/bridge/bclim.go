package bridge

import (
	"fmt"
	"strconv"

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
		return errs.WithHint(fmt.Errorf("set --opt %s=%s: %w", network.OptionBCLIM, text, err), "it needs Linux 6.4")
	}
	return nil
}
