package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Pending is a file that is being written. It has no name until Commit, so that a process that is killed leaves nothing;
// where the file system has no files without names, it has one beside its path until then.
type Pending struct {
	*os.File
	path    string
	temp    string // its name so far, or ""
	settled bool
}

// New begins a file that is to be at path. Its mode is perm less the umask.
func New(path string, perm os.FileMode) (*Pending, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(perm.Perm()))
	if err == nil {
		return &Pending{File: os.NewFile(uintptr(fd), path), path: path}, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.ENOENT) {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	temp := tempName(path)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		if pathErr, ok := errors.AsType[*os.PathError](err); ok {
			pathErr.Path = path
		}
		return nil, err
	}
	return &Pending{File: f, path: path, temp: temp}, nil
}

// Commit syncs the file, gives it its path, in place of what is there, and closes it.
func (p *Pending) Commit() (err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Sync(); err != nil {
		return err
	}
	if p.temp == "" {
		// linkat(2) replaces nothing, so that the file gets a name beside first.
		temp := tempName(p.path)
		from := fmt.Sprintf("/proc/self/fd/%d", p.Fd())
		if err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, temp, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.LinkError{Op: "linkat", Old: from, New: temp, Err: err}
		}
		p.temp = temp
	}
	if err := os.Rename(p.temp, p.path); err != nil {
		return err
	}
	p.settled = true
	return nil
}

// CommitNew is Commit to a path in the same folder that nothing has yet; os.ErrExist when something has it, and the file
// can still be committed to another.
func (p *Pending) CommitNew(path string) error {
	if err := p.Sync(); err != nil {
		return errors.Join(err, p.Close())
	}
	from, flags := p.temp, 0
	if from == "" {
		from, flags = fmt.Sprintf("/proc/self/fd/%d", p.Fd()), unix.AT_SYMLINK_FOLLOW
	}
	err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, path, flags)
	if errors.Is(err, unix.EEXIST) {
		return os.ErrExist
	}
	if err != nil {
		err = &os.LinkError{Op: "linkat", Old: from, New: path, Err: err}
	}
	return errors.Join(err, p.Close())
}

// Close drops the file unless it was committed. A second call does nothing.
func (p *Pending) Close() error {
	if p.File == nil {
		return nil
	}
	err := p.File.Close()
	if p.temp != "" && !p.settled {
		err = errors.Join(err, os.Remove(p.temp))
	}
	p.File = nil
	return err
}

// tempName is a name beside path that nothing has.
func tempName(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%s", filepath.Base(path), rand.Text()))
}
