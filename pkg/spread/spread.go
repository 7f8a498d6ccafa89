// Package spread keeps folders apart on ext4 without a journal, which virtual machines have that live for one job.
//
// There ext4 takes no inode that was freed in the last five minutes if it can help it (recently_deleted in fs/ext4/ialloc.c), and looks at
// all of them for each new file. Folders come to lie beside each other, so that those of a container or of a layer are looked for
// where others have just been removed: ten thousand files of an image made the next pull take three times as long, and a tenth of the
// time in which a hundred containers start went there (docs/design/0017, 0018). With a journal ext4 does not do so, and keeping things together
// is better: nothing is done then.
package spread

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// topdir is FS_TOPDIR_FL of linux/fs.h, chattr(1)'s T: each new folder in one that has it is put where few folders are, with all that is
// made in it.
const topdir = 0x00020000

// Folders spreads what will be made in the folder dir.
func Folders(dir *os.File) {
	if !journalless(dir) {
		return
	}
	if flags, err := unix.IoctlGetInt(int(dir.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(int(dir.Fd()), unix.FS_IOC_SETFLAGS, flags|topdir) // it is slower without
	}
}

// journalless reports whether dir is on an ext4 without a journal, as sysfs tells it (Documentation/ABI/testing/sysfs-fs-ext4).
func journalless(dir *os.File) bool {
	var where unix.Statfs_t
	var about unix.Stat_t
	if unix.Fstatfs(int(dir.Fd()), &where) != nil || where.Type != unix.EXT4_SUPER_MAGIC || unix.Fstat(int(dir.Fd()), &about) != nil {
		return false
	}
	device, err := os.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(about.Dev), unix.Minor(about.Dev)))
	if err != nil {
		return false
	}
	task, err := os.ReadFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "journal_task"))
	return err == nil && strings.TrimSpace(string(task)) == "<none>"
}

// MkdirAll is os.MkdirAll for a folder that has many beside it, which it spreads where it makes the first.
func MkdirAll(path string, mode fs.FileMode) error {
	if err := os.Mkdir(path, mode); !errors.Is(err, fs.ErrNotExist) {
		if errors.Is(err, fs.ErrExist) {
			return os.MkdirAll(path, mode) // it says when it is no folder
		}
		return err
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, mode); err != nil {
		return err
	}
	if dir, err := os.Open(parent); err == nil {
		Folders(dir)
		_ = dir.Close()
	}
	return os.MkdirAll(path, mode)
}
