package fault

import (
	"archive/tar"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// maxMemory is what the largest process of a pull may take, in bytes.
const maxMemory = 200 << 20

// lie is a case of a registry or an image that means harm.
type lie struct {
	format string          // of the layer, as packing has it
	layer  func(p *packer) // nil: one small file
	tell   func(l *liar)
	vars   []string
	want   string // in the one line of the error; "": the image does no harm, and is pulled
}

func entries(list ...tar.Header) func(*packer) {
	return func(p *packer) {
		for _, h := range list {
			p.add(h)
		}
	}
}

// gigabytes is a layer of zeros.
func gigabytes(n int64) func(*packer) { return entries(tar.Header{Name: "zeros", Size: n << 30}) }

// redirect sends who asks for the layer elsewhere.
func redirect(to string) func(*liar) {
	return func(l *liar) {
		l.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != l.layerPath {
				return false
			}
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return true
		}
	}
}

// blob answers for the layer.
func blob(answer func(l *liar, w http.ResponseWriter)) func(*liar) {
	return func(l *liar) {
		l.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == l.layerPath {
				answer(l, w)
			}
			return r.URL.Path == l.layerPath
		}
	}
}

var lies = map[string]lie{
	"wrong-digest": {tell: blob(func(l *liar, w http.ResponseWriter) {
		wrong := slices.Clone(l.layer)
		wrong[len(wrong)/2]++
		_, _ = w.Write(wrong)
	}), want: "igest"},
	"wrong-size": {tell: func(l *liar) {
		l.manifest = []byte(strings.Replace(string(l.manifest), fmt.Sprintf(`"size":%d}]`, len(l.layer)), `"size":10}]`, 1))
	}, want: "more of sha256:"},
	"endless-body":  {tell: blob(func(l *liar, w http.ResponseWriter) { l.endless(w) }), want: "more of sha256:"},
	"bomb-gzip":     {layer: gigabytes(1), vars: []string{"HULL_MAX_UNPACKED=100m"}, want: "unpacks to more than"},
	"bomb-zstd":     {format: "zstd", layer: gigabytes(1), vars: []string{"HULL_MAX_UNPACKED=100m"}, want: "unpacks to more than"},
	"bomb-xz":       {format: "xz", layer: gigabytes(1), vars: []string{"HULL_MAX_UNPACKED=100m"}, want: "unpacks to more than"},
	"sparse":        {layer: func(p *packer) { p.sparse("hole", 1<<40) }, want: "unpacks to more than"},
	"manifest-huge": {tell: func(l *liar) { l.manifest = slices.Concat([]byte(`{"x":"`), make([]byte, 100<<20)) }, want: "exceeded"},
	"manifest-deep": {tell: func(l *liar) { l.manifest = []byte(strings.Repeat(`{"manifests":[`, 1<<17)) }, want: "max depth"},
	"manifest-lists": {tell: func(l *liar) { // a list of itself
		l.manifestType = "application/vnd.oci.image.index.v1+json"
		l.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":"sha256:%s","size":10,"platform":{"architecture":"amd64","os":"linux"}}]}`,
			l.manifestType, l.manifestType, strings.Repeat("a", 64))
	}, want: "does not match"},
	"schema-1": {tell: func(l *liar) {
		l.manifestType = "application/vnd.docker.distribution.manifest.v1+json"
		l.manifest = fmt.Appendf(nil, `{"schemaVersion":1,"name":"x","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":%q}],"history":[{"v1Compatibility":"{\"id\":\"../../../etc\",\"throwaway\":true}"}]}`, sum(l.layer))
	}, want: "invalid"},
	"digest-is-a-path": {tell: func(l *liar) {
		l.manifest = []byte(strings.Replace(string(l.manifest), sum(l.layer), "sha256:../../../../etc/passwd", 1))
	}, want: "invalid"},
	"redirect-file":       {tell: redirect("file:///etc/passwd"), want: "unsupported protocol scheme"},
	"redirect-link-local": {tell: redirect("http://169.254.169.254/latest/meta-data"), want: "169.254.169.254"},

	"path-above":    {layer: entries(tar.Header{Name: "../../../../escaped"}, tar.Header{Name: "/../escaped"})},
	"link-absolute": {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, tar.Header{Name: "d/escaped"})},
	"link-above":    {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "../../../../.."}, tar.Header{Name: "d/escaped"})},
	"hard-link-out": {layer: entries(tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../../../../../etc/passwd"}), want: "no such file"},
	"hard-link-through-link": {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "d/passwd"}), want: "no such file"},
	"devices": {layer: entries(tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}, tar.Header{Name: "mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1})},
	"setuid":  {layer: entries(tar.Header{Name: "escaped", Mode: 0o6755})},
	"xattrs": {layer: entries(tar.Header{Name: "escaped", PAXRecords: map[string]string{
		"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.redirect": "/../../etc", "SCHILY.xattr.security.evil": "x",
	}})},
	"whiteouts":      {layer: entries(tar.Header{Name: ".wh.nothing"}, tar.Header{Name: "d/.wh..wh..opq"})},
	"whiteout-above": {layer: entries(tar.Header{Name: ".wh..."}), want: "invalid whiteout path"},
	"duplicates":     {want: "duplicates of file paths", layer: entries(tar.Header{Name: "a"}, tar.Header{Name: "a", Typeflag: tar.TypeDir}, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/"}, tar.Header{Name: "a/escaped"})},
	"many-entries":   {layer: many},
}

var entryCount = flag.Int("entries", 100_000, "entries of the layer that has many")

// many is a layer of many entries, each of which takes an inode.
func many(p *packer) {
	for i := range *entryCount {
		p.add(tar.Header{Name: fmt.Sprintf("%d/%d", i%1000, i), Typeflag: tar.TypeSymlink, Linkname: "x"})
	}
}

// hostile pulls each and looks at what is left: an error of one line and nothing, or an image that keeps to itself.
func (s *suite) hostile(t *testing.T) {
	for name, c := range lies {
		s.run(t, "hostile/"+name, func(t *testing.T) {
			t.Helper()
			b := filled(t, s.base)
			p := newPacker(t, c.format)
			if c.layer == nil {
				c.layer = entries(tar.Header{Name: "file", Size: 10_000})
			}
			c.layer(p)
			l := p.serve()
			if c.tell != nil {
				c.tell(l)
			}
			before := b.stored()
			r, memory := b.measured("pull -q --retry 0 --tls-verify=false "+l.name(), c.vars...)
			b.took(r, memory)
			if c.want != "" {
				b.says(r, c.want)
				if after := b.stored(); !slices.Equal(before, after) {
					t.Errorf("stored before %v, and after %v", before, after)
				}
			} else if !r.ok() {
				t.Errorf("%s", r)
			}
			b.inside()
			b.measured("rmi -i " + l.name()) // a million files take their time
			b.end()
		})
	}
}

// took fails the case for a process that was too large.
func (b *box) took(r result, memory int64) {
	b.t.Helper()
	b.t.Logf("%d MB for hull %s", memory>>20, r.line)
	if memory > maxMemory {
		b.t.Errorf("a process took %d MB", memory>>20)
	}
}

// measured runs hull and returns the most memory that one of its processes had, in bytes. The kernel's own count for a
// process that has ended (getrusage(2)) begins with what its parent had.
func (b *box) measured(line string, vars ...string) (result, int64) {
	b.t.Helper()
	limit := 2*deadline + time.Duration(*entryCount)*time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := b.command(ctx, line, vars...)
	ended, most := make(chan result), int64(0)
	go func() { ended <- b.wait(cmd, line) }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case r := <-ended:
			if ctx.Err() != nil {
				b.t.Fatalf("no end within %s: %s", limit, r)
			}
			return r, most
		case <-tick.C:
			most = max(most, b.highest())
		}
	}
}

// highest is the most memory that a process of the sandbox has had, in bytes.
func (b *box) highest() int64 {
	most := int64(0)
	for pid := range b.Processes() {
		status, _ := os.ReadFile("/proc/" + itoa(pid) + "/status")
		_, after, _ := strings.Cut(string(status), "VmHWM:")
		var kilobytes int64
		if _, err := fmt.Sscan(after, &kilobytes); err == nil {
			most = max(most, kilobytes<<10)
		}
	}
	return most
}

// stored are the images, the layers, and what lies in hull-image's folder.
func (b *box) stored() []string {
	b.t.Helper()
	list := strings.Fields(b.must("images -aq --no-trunc"))
	for _, pattern := range []string{"overlay/*", "hull-image/*"} {
		found, _ := filepath.Glob(filepath.Join(b.Dir, "data/containers/storage", pattern))
		list = append(list, found...)
	}
	return list
}

// inside fails the case for a file "escaped" that is in no layer, and for a device that is no whiteout.
func (b *box) inside() {
	b.t.Helper()
	_ = filepath.WalkDir(b.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what belongs to others is not ours to see
		}
		if d.Name() == "escaped" && !strings.Contains(path, "/overlay/") {
			b.t.Errorf("%s is in no layer", path)
		}
		if d.Type()&fs.ModeDevice != 0 {
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err == nil && st.Rdev != 0 {
				b.t.Errorf("%s is a device", path)
			}
		}
		return nil
	})
	for _, path := range []string{"/escaped", "/tmp/escaped", "/etc/escaped"} {
		if _, err := os.Lstat(path); err == nil {
			b.t.Errorf("there is %s", path)
		}
	}
}
