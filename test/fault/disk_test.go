package fault

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// disk are the cases about the disk, as root: it can mount a small one in its own view. An import leaves 64 MB of it free.
func (s *suite) disk(t *testing.T) {
	for name, fn := range map[string]func(*box){"disk/full": diskFull, "disk/full-in-layer": diskFullInLayer, "disk/read-only": diskReadOnly} {
		s.run(t, name, func(t *testing.T) {
			b := newBox(t, s.base)
			data := filepath.Join(b.Dir, "data")
			if err := unix.Mount("small", data, "tmpfs", 0, "size=80m,mode=700"); err != nil {
				t.Fatal(os.NewSyscallError("mount", err))
			}
			t.Cleanup(func() {
				if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
					t.Error(os.NewSyscallError("unmount", err))
				}
			})
			b.must("import -c CMD=/bin/sh $BUSYBOX busybox")
			b.must(sleeps)
			fn(b)
			b.end()
		})
	}
}

// diskFull: what writes says that the disk is full and leaves nothing half made; what reads, works. A removal writes too,
// but little.
func diskFull(b *box) {
	b.must("create --name old busybox true")
	c := b.must("inspect --format '{{.Id}}' c") // the name alone means old, too, when c is gone and old's id begins with it
	for _, free := range []int64{0, 4 << 10, 16 << 10, 64 << 10, 256 << 10} {
		filler := fill(b, free)
		for _, line := range []string{"run --rm --name new busybox true", "create --name new busybox true", "import $BUSYBOX other", "load -q -i $ARCHIVE", "pull -q docker-archive:$ARCHIVE:archived:latest"} {
			if r := b.do(line); !r.ok() {
				b.says(r, "")
			}
			b.whole()
			b.must("ps")
		}
		if err := os.Remove(filler); err != nil {
			b.t.Fatal(err)
		}
		b.must("rm -fi new")
		b.must("rmi -fi archived")
	}
	fill(b, 0)
	if r := b.do("rm -f -t0 c"); !r.ok() {
		b.says(r, "") // the disk or the database is full, as it comes
	}
	b.whole()
	fill(b, 512<<10)
	b.must("rm -fi -t0 " + c)
	b.must("rm old")
	if err := os.Remove(filepath.Join(b.Dir, "data/filler")); err != nil {
		b.t.Fatal(err)
	}
	b.must("run --rm busybox true")
}

// diskFullInLayer: the disk fills up while a layer comes, or while it is unpacked. That is one line, and the space is there
// again; with more of it the same pull works.
func diskFullInLayer(b *box) {
	for _, zeros := range []bool{false, true} {
		p := newPacker(b.t, "")
		if zeros {
			p.add(tar.Header{Name: "zeros", Size: 9 << 20})
		} else if _, err := p.raw.Write(noise(b.t, 5<<20)); err != nil {
			b.t.Fatal(err)
		}
		l := p.serve()
		filler := fill(b, 4<<20)
		before := free(b)
		b.says(b.do("pull -q --retry 0 --tls-verify=false "+l.name()), "")
		if lost := before - free(b); lost > 64<<10 {
			b.t.Errorf("%d KB of %d are gone", lost>>10, before>>10)
		}
		if err := os.Remove(filler); err != nil {
			b.t.Fatal(err)
		}
		b.must("pull -q --tls-verify=false " + l.name())
		b.must("rmi " + l.name())
	}
	b.must("rm -f -t0 c")
}

// free is how many bytes the disk has.
func free(b *box) int64 {
	b.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Join(b.Dir, "data"), &st); err != nil {
		b.t.Fatal(os.NewSyscallError("statfs", err))
	}
	return int64(st.Bavail) * st.Bsize
}

// fill writes a file that leaves so many bytes of the disk free, and returns its path.
func fill(b *box, free int64) string {
	b.t.Helper()
	path := filepath.Join(b.Dir, "data/filler")
	f, err := os.Create(path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 4096)
	var size int64
	for err == nil {
		var n int
		n, err = f.Write(chunk)
		size += int64(n)
	}
	if !errors.Is(err, unix.ENOSPC) || f.Truncate(max(0, size-free)) != nil {
		b.t.Fatalf("fill the disk: %v", err)
	}
	return path
}

// diskReadOnly: what reads, works; what writes says so in one line.
func diskReadOnly(b *box) {
	data := filepath.Join(b.Dir, "data")
	remount := func(flags uintptr) {
		if err := unix.Mount("", data, "", unix.MS_REMOUNT|flags, "size=80m"); err != nil {
			b.t.Fatal(os.NewSyscallError("remount", err))
		}
	}
	b.must("stop -t0 c") // a file open for writing would keep the mount from being read-only
	b.quiet()
	remount(unix.MS_RDONLY)
	b.must("ps -a")
	b.must("inspect c")
	for _, line := range []string{"create --name new busybox true", "run --rm busybox true", "rm c", "rename c d", "import $BUSYBOX other", "rmi busybox", "images"} {
		b.says(b.do(line), "only") // "read-only file system", and SQLite has "readonly database"; also images: the storage library opens its lock for writing
	}
	if r := b.do("start c"); r.ok() || !strings.Contains(r.stderr, "read-only") { // and that it cannot be undone either
		b.t.Errorf("%s", r)
	}
	remount(0)
	b.must("start c")
}
