package containers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/netns/owned"
	"hull.dev/hull/pkg/rootless"
	"hull.dev/hull/pkg/safepath"
)

var userNSModes = []string{"auto", "container:", "host", "keep-id", "nomap", "ns:", "private"}

// planUser gives the container the user namespace that --userns, --uidmap and --gidmap ask for.
func (s *Service) planUser(ctx context.Context, p *plan, _ *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	mode, options, _ := strings.Cut(o.UserNS, ":")
	if len(o.UIDMap)+len(o.GIDMap) > 0 {
		if o.UserNS != "" && mode != "private" {
			return errs.Invalid("--userns=%s goes with neither --uidmap nor --gidmap", o.UserNS)
		}
		return planMaps(c, o)
	}
	switch mode {
	case "", "host":
		if o.UserNS == mode { // and nothing behind it
			return nil
		}
	case "container", "ns":
		if err := s.planMode(ctx, p, "--userns", &o.UserNS, userNSModes); err != nil {
			return err
		}
		return s.planTheirMap(ctx, c)
	case "private":
		return errs.Invalid("--userns=private needs --uidmap or --gidmap")
	case "keep-id":
		return planKeepID(c, options)
	case "nomap":
		size, err := mapped()
		if err != nil {
			return err
		}
		if !rootless.Rootless() {
			return errs.Invalid("--userns=nomap is for users who are not root")
		}
		all := []define.IDRange{{ContainerID: 0, HostID: 1, Size: size - 1}}
		c.IDMap = &define.IDMap{UIDs: all, GIDs: all}
		return nil
	case "auto":
		return planAuto(p, options)
	}
	return errs.Invalid("--userns %q: %s are there%s", o.UserNS, strings.Join(userNSModes, ", "), errs.DidYouMean(mode, userNSModes))
}

// planIDMapped refuses idmapped mounts (mount_setattr(2)) where there can be none.
func (s *Service) planIDMapped(_ context.Context, p *plan, _ *define.ImageConfig) error {
	c := p.config
	for _, m := range c.Options.Mounts {
		i := slices.IndexFunc(m.Options, define.IDMapped)
		if i < 0 {
			continue
		}
		what := fmt.Sprintf("mount %q: the option idmap", m.Dest)
		switch {
		case rootless.Rootless():
			return errs.WithHint(errs.Invalid("%s is root's, whose the host's file systems are", what), "the option U gives the folder to the container's user")
		case m.Options[i] == "idmap" && c.IDMap == nil && p.auto == nil:
			return errs.WithHint(errs.Invalid("%s needs ids of the container's own", what), "give the container some by --userns or --uidmap")
		}
	}
	return nil
}

// planTheirMap gives the files of a container that shares another's user namespace the same owners.
func (s *Service) planTheirMap(ctx context.Context, c *define.ContainerConfig) error {
	id, ok := strings.CutPrefix(c.Options.UserNS, "container:")
	if !ok {
		return planMapOf(c, strings.TrimPrefix(c.Options.UserNS, "ns:"))
	}
	other, err := s.State.Get(ctx, id)
	if err != nil || other.Config.IDMap == nil {
		return err
	}
	c.IDMap = &define.IDMap{UIDs: other.Config.IDMap.UIDs, GIDs: other.Config.IDMap.GIDs}
	return nil
}

// planMapOf gives the files of a container the owners that they have in the user namespace at path. Where its root is the engine's,
// they keep those that they have: it may not know the ids of all.
func planMapOf(c *define.ContainerConfig, path string) error {
	uids, gids, err := owned.IDs(path)
	if err != nil {
		return err
	}
	root := func(m rootless.Mapped) bool { return m.Inside == 0 && m.Outside == 0 }
	if slices.ContainsFunc(uids, root) && slices.ContainsFunc(gids, root) {
		return nil
	}
	convert := func(list []rootless.Mapped) (out []define.IDRange) {
		for _, m := range list {
			out = append(out, define.IDRange{ContainerID: m.Inside, HostID: m.Outside, Size: m.Count})
		}
		return out
	}
	c.IDMap = &define.IDMap{UIDs: convert(uids), GIDs: convert(gids)}
	return nil
}

// mapped returns how many ids the engine's user namespace has from 0 on.
func mapped() (int, error) {
	uids, gids, err := rootless.IDMaps("self")
	if err != nil {
		return 0, err
	}
	return min(end(uids), end(gids)), nil
}

func end(maps []rootless.Mapped) int {
	next := 0
	for _, m := range maps {
		if m.Inside == next {
			next += m.Count
		}
	}
	return next
}

// planKeepID maps the user's own id to itself, or to the uid and gid that options name.
func planKeepID(c *define.ContainerConfig, options string) error {
	if !rootless.Rootless() {
		return errs.Invalid("keep-id is only supported in rootless mode")
	}
	size, err := mapped()
	if err != nil {
		return err
	}
	uid, gid := rootless.UID(), rootless.GID()
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		n, err := strconv.Atoi(value)
		switch {
		case option == "":
		case key == "uid" && err == nil && n >= 0:
			uid = n
		case key == "gid" && err == nil && n >= 0:
			gid = n
		default:
			return errs.Invalid("--userns=keep-id: option %q is not uid=NUMBER or gid=NUMBER", option)
		}
	}
	c.IDMap = &define.IDMap{UIDs: keep(uid, size), GIDs: keep(gid, size), Keep: true}
	if c.User == "" { // neither the flag nor the image names one
		c.User = fmt.Sprintf("%d:%d", uid, gid)
	}
	return nil
}

// keep maps id of the container to 0 of the engine's namespace, which is the user, and what is below and above it to
// the subordinate ids in order.
func keep(id, size int) []define.IDRange {
	below := min(id, size-1)
	ranges := []define.IDRange{}
	if below > 0 {
		ranges = append(ranges, define.IDRange{ContainerID: 0, HostID: 1, Size: below})
	}
	ranges = append(ranges, define.IDRange{ContainerID: id, HostID: 0, Size: 1})
	if above := size - 1 - below; above > 0 {
		ranges = append(ranges, define.IDRange{ContainerID: id + 1, HostID: 1 + below, Size: above})
	}
	return ranges
}

// planMaps reads --uidmap and --gidmap; where only one is given the other is the same.
func planMaps(c *define.ContainerConfig, o *define.CreateOptions) error {
	uidTexts, gidTexts := o.UIDMap, o.GIDMap
	if len(uidTexts) == 0 {
		uidTexts = gidTexts
	}
	if len(gidTexts) == 0 {
		gidTexts = uidTexts
	}
	uids, err := parseMaps("--uidmap", uidTexts)
	if err != nil {
		return err
	}
	gids, err := parseMaps("--gidmap", gidTexts)
	if err != nil {
		return err
	}
	c.IDMap = &define.IDMap{UIDs: uids, GIDs: gids}
	return nil
}

func parseMaps(flag string, texts []string) ([]define.IDRange, error) {
	size, err := mapped()
	if err != nil {
		return nil, err
	}
	var list []define.IDRange
	for _, text := range texts {
		parts := strings.Split(text, ":")
		if len(parts) == 2 {
			parts = append(parts, "1")
		}
		var n [3]uint64
		ok := len(parts) == 3
		for i := 0; ok && i < 3; i++ {
			n[i], err = strconv.ParseUint(strings.TrimPrefix(parts[i], "@"), 10, 31)
			ok = err == nil
		}
		if !ok || n[2] == 0 {
			return nil, errs.Invalid("%s %q is not CONTAINER_ID:HOST_ID[:SIZE]", flag, text)
		}
		r := define.IDRange{ContainerID: int(n[0]), HostID: int(n[1]), Size: int(n[2])}
		if rootless.Rootless() && r.HostID+r.Size > size {
			return nil, errs.WithHint(errs.Invalid("%s %q: only ids 0 to %d are there", flag, text, size-1), "hull unshare cat /proc/self/uid_map shows them")
		}
		if overlaps(list, r) {
			return nil, errs.Invalid("%s %q overlaps another range", flag, text)
		}
		list = append(list, r)
	}
	return list, nil
}

func overlaps(list []define.IDRange, r define.IDRange) bool {
	return slices.ContainsFunc(list, func(o define.IDRange) bool {
		return r.ContainerID < o.ContainerID+o.Size && o.ContainerID < r.ContainerID+r.Size ||
			r.HostID < o.HostID+o.Size && o.HostID < r.HostID+r.Size
	})
}

// planAuto reads the options of --userns=auto; the store picks the range that no other container has.
func planAuto(p *plan, options string) error {
	auto := &layers.AutoIDs{}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		var err error
		switch key {
		case "":
		case "size":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 32)
			auto.Size = uint32(n)
		case "uidmapping":
			auto.UIDs, err = autoMap(auto.UIDs, value)
		case "gidmapping":
			auto.GIDs, err = autoMap(auto.GIDs, value)
		default:
			return errs.Invalid("--userns=auto: there is no option %q%s", key, errs.DidYouMean(key, []string{"size", "uidmapping", "gidmapping"}))
		}
		if err != nil {
			return errs.Invalid("--userns=auto: option %q: %v", option, err)
		}
	}
	p.auto = auto
	return nil
}

func autoMap(list []layers.IDRange, text string) ([]layers.IDRange, error) {
	parsed, err := parseMaps("mapping", []string{text})
	if err != nil {
		return nil, err
	}
	for _, r := range parsed {
		list = append(list, layers.IDRange(r))
	}
	return list, nil
}

// letIn opens the way to the container's files for its root, when that is neither root nor the user in the engine's
// namespace: the runtime mounts them as that root, to whom the engine's folders are another's.
func (s *Service) letIn(c *locked, root string) error {
	m := c.Config.IDMap
	if m == nil || slices.ContainsFunc(m.UIDs, func(r define.IDRange) bool { return r.HostID == 0 }) {
		return nil
	}
	uid := -1
	for _, r := range m.UIDs {
		if r.ContainerID == 0 {
			uid = r.HostID
		}
	}
	if uid < 0 {
		return nil // a container without a root mounts nothing; the runtime says so
	}
	ways := []string{root, s.dir(c.id())}
	for _, v := range c.Config.Volumes {
		ways = append(ways, s.mountpoint(v.Name))
	}
	if anyOverlaid(&c.Config) {
		ways = append(ways, s.overlaysDir(c.id()))
	}
	for _, way := range ways {
		if err := safepath.Reach(way, uid); err != nil {
			return errs.WithHint(err, "a file system without access control lists needs chmod o+x on that folder")
		}
	}
	return nil
}
