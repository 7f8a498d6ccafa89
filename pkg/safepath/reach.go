package safepath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Reach lets the user with this id go through every folder on the way to path, and through path itself when it is a folder.
// A folder of the caller's that others may not pass gets an access control entry for this one id and for passing only, where
// a mode bit would let in everyone; folders of others stay as they are.
func Reach(path string, uid int) error {
	for dir := filepath.Clean(path); dir != "/"; dir = filepath.Dir(dir) {
		if err := pass(dir, uid); err != nil {
			return fmt.Errorf("let id %d of the container's root pass %q: %w", uid, dir, err)
		}
	}
	return nil
}

func pass(dir string, uid int) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
		return nil // a file; or a folder of another, which its owner lets us pass
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o001 != 0 || int(st.Uid) == uid || int(st.Uid) != os.Geteuid() {
		return nil
	}
	data := make([]byte, 4096)
	n, err := unix.Fgetxattr(fd, aclName, data)
	if err != nil && !errors.Is(err, unix.ENODATA) {
		return err
	}
	list, err := parseACL(data[:max(n, 0)], st.Mode)
	if err != nil {
		return err
	}
	list, changed := list.allow(uint32(uid))
	if !changed {
		return nil
	}
	return unix.Fsetxattr(fd, aclName, list.bytes(), 0)
}

// An access control list as the kernel keeps it in an extended attribute: a version, then entries in the order of tag and
// id (acl(5), linux/posix_acl_xattr.h).
const (
	aclName    = "system.posix_acl_access"
	aclVersion = 2

	aclOwner = 0x01
	aclUser  = 0x02
	aclGroup = 0x04
	aclMask  = 0x10
	aclOther = 0x20

	aclPass = 1
	aclNoID = math.MaxUint32
)

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

type acl []aclEntry

// parseACL reads a list; no data is the list that mode stands for.
func parseACL(data []byte, mode uint32) (acl, error) {
	if len(data) == 0 {
		return acl{
			{aclOwner, uint16(mode >> 6 & 7), aclNoID},
			{aclGroup, uint16(mode >> 3 & 7), aclNoID},
			{aclOther, uint16(mode & 7), aclNoID},
		}, nil
	}
	if len(data)%8 != 4 || binary.LittleEndian.Uint32(data) != aclVersion {
		return nil, errors.New("its access control list is of a version that is not known")
	}
	var list acl
	for e := range slices.Chunk(data[4:], 8) {
		list = append(list, aclEntry{
			tag: binary.LittleEndian.Uint16(e), perm: binary.LittleEndian.Uint16(e[2:]), id: binary.LittleEndian.Uint32(e[4:]),
		})
	}
	return list, nil
}

// allow adds the right to pass for a user; changed is false when the user has it already.
func (l acl) allow(uid uint32) (list acl, changed bool) {
	mask := aclEntry{aclMask, 0, aclNoID}
	own := aclEntry{aclUser, 0, uid}
	for _, e := range l {
		switch {
		case e.tag == aclMask:
			mask = e
		case e.tag == aclUser && e.id == uid:
			own = e
		default:
			if e.tag == aclGroup && !slices.ContainsFunc(l, func(e aclEntry) bool { return e.tag == aclMask }) {
				mask.perm |= e.perm // without a mask the group's rights are their own bound
			}
			list = append(list, e)
		}
	}
	if own.perm&mask.perm&aclPass != 0 {
		return l, false
	}
	own.perm |= aclPass
	mask.perm |= aclPass
	list = append(list, own, mask)
	slices.SortFunc(list, func(a, b aclEntry) int {
		if a.tag != b.tag {
			return int(a.tag) - int(b.tag)
		}
		return int(int64(a.id) - int64(b.id))
	})
	return list, true
}

func (l acl) bytes() []byte {
	data := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range l {
		data = binary.LittleEndian.AppendUint16(data, e.tag)
		data = binary.LittleEndian.AppendUint16(data, e.perm)
		data = binary.LittleEndian.AppendUint32(data, e.id)
	}
	return data
}
