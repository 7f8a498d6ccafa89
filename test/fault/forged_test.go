package fault

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// part is a file of an archive.
type part struct {
	tar.Header
	data []byte
}

// forgery is an archive of an image localhost/x:1, in the form of docker save or an OCI layout, that a case may change.
type forgery struct {
	oci                     bool
	layer                   []byte
	diff                    string // what the config says of it
	config, manifest, index []byte // nil: as they should be; index is docker's manifest.json
	more                    []part // before all others
}

// forge is a case of a bad archive.
type forge struct {
	format string          // of the layer, as packing has it; docker save's have none
	layer  func(p *packer) // nil: one small file
	only   string          // "docker" or "oci"; "": both
	edit   func(f *forgery)
	parts  func(parts []part) []part
	bytes  func(archive []byte) []byte
	outer  string // packing of the whole; "": none
	vars   []string
	want   string // in the one line of the error; "": the archive does no harm, and is loaded
}

// twisted is a change of one part, the one whose name has this in it, or the last for "".
func twisted(name string, change func(p *part)) func([]part) []part {
	return func(parts []part) []part {
		i := slices.IndexFunc(parts, func(p part) bool { return strings.Contains(p.Name, name) })
		if name == "" {
			i = len(parts) - 1
		}
		change(&parts[i])
		return parts
	}
}

func flipped(p *part) {
	p.data = slices.Clone(p.data)
	p.data[len(p.data)/2]++
}

// huge is JSON of a hundred megabytes.
func huge() []byte {
	return append([]byte(`{"x":"`), append(bytes.Repeat([]byte("x"), 100<<20), `"}`...)...)
}

var forges = map[string]forge{
	"fine":      {},
	"fine-gzip": {outer: "gzip"}, "fine-zstd": {outer: "zstd"}, "fine-xz": {outer: "xz"},
	"truncated":       {bytes: func(a []byte) []byte { return a[:len(a)-3000] }, want: "ends early"},
	"truncated-gzip":  {outer: "gzip", bytes: func(a []byte) []byte { return a[:len(a)-9] }, want: "ends early"},
	"truncated-xz":    {outer: "xz", bytes: func(a []byte) []byte { return a[:len(a)-9] }, want: "ends early"},
	"truncated-zstd":  {outer: "zstd", bytes: func(a []byte) []byte { return a[:len(a)-9] }, want: "ends early"},
	"truncated-layer": {parts: twisted("layer", func(p *part) { p.data = p.data[:len(p.data)/2] }), only: "docker", want: "ends early"},
	"wrong-layer":     {parts: twisted("layer", flipped), only: "docker", want: "digest"},
	"wrong-blob":      {parts: twisted("", flipped), only: "oci", want: "not a tar"},
	"missing-blob":    {parts: func(parts []part) []part { return parts[:len(parts)-1] }, only: "oci", want: "missing"},
	"wrong-config":    {parts: twisted("blobs", flipped), only: "oci", want: "wrong digest"},
	"wrong-diff":      {edit: func(f *forgery) { f.diff = "sha256:" + strings.Repeat("a", 64) }, want: "sha256:aaaa"},
	"index-huge":      {edit: func(f *forgery) { f.index = huge() }, want: "more than the"},
	"config-huge":     {edit: func(f *forgery) { f.config = huge() }, want: "more than the"},
	"manifest-huge":   {only: "oci", edit: func(f *forgery) { f.manifest = huge() }, want: "more than the"},
	"lists": {only: "oci", edit: func(f *forgery) {
		f.manifest = f.goodManifest()
		for range 100 {
			f.more = append(f.more, blobPart(f.manifest))
			f.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"","digest":%q,"size":%d,"platform":{"os":"linux","architecture":"amd64"}}]}`, sum(f.manifest), len(f.manifest))
		}
		f.index = bytes.Replace(f.goodIndex(), []byte("manifest.v1"), []byte("index.v1"), 1)
	}, want: "deep"},
	"layer-is-a-path": {only: "docker", edit: func(f *forgery) {
		f.index = bytes.Replace(f.goodIndex(), []byte("layer.tar"), []byte("../../../../../etc/passwd"), 1)
	}, want: "missing"},
	"config-is-a-path": {only: "docker", edit: func(f *forgery) {
		f.index = bytes.Replace(f.goodIndex(), []byte("config.json"), []byte("/etc/passwd"), 1)
	}, want: "not exist"},
	"digest-is-a-path": {only: "oci", edit: func(f *forgery) {
		f.index = bytes.Replace(f.goodIndex(), []byte(sum(f.goodManifest())), []byte("sha256:../../../../etc/passwd"), 1)
	}, want: "not a digest"},
	"entry-above":    {edit: func(f *forgery) { f.more = append(f.more, part{Header: tar.Header{Name: "../../escaped"}}) }},
	"entry-absolute": {edit: func(f *forgery) { f.more = append(f.more, part{Header: tar.Header{Name: "/tmp/escaped"}}) }},
	"entry-device": {edit: func(f *forgery) {
		f.more = append(f.more, part{Header: tar.Header{Name: "escaped", Typeflag: tar.TypeBlock, Devmajor: 8}})
	}},
	"entry-links-out": {only: "docker", parts: twisted("layer", func(p *part) {
		p.Typeflag, p.Linkname, p.data = tar.TypeSymlink, "/etc/passwd", nil
	}), want: "missing"},
	"entry-hard-link-out": {only: "docker", parts: twisted("config", func(p *part) {
		p.Typeflag, p.Linkname, p.data = tar.TypeLink, "../../../etc/passwd", nil
	}), want: "not exist"},
	"entry-circle": {only: "docker", parts: twisted("layer", func(p *part) {
		p.Typeflag, p.Linkname, p.data = tar.TypeSymlink, "layer.tar", nil
	}), want: "missing"},
	"entry-twice": {parts: func(parts []part) []part { // the first counts
		evil := parts[len(parts)-1]
		flipped(&evil)
		return append(parts, evil)
	}},
	"entries": {edit: func(f *forgery) {
		for i := range 150_000 {
			f.more = append(f.more, part{Header: tar.Header{Name: fmt.Sprint(i)}})
		}
	}, want: "more than 100000 files"},
	"bomb":             {format: "gzip", layer: bomb, vars: bombLimit, want: "unpacks to more than"},
	"bomb-zstd":        {format: "zstd", layer: bomb, vars: bombLimit, want: "unpacks to more than"},
	"bomb-xz":          {format: "xz", layer: bomb, vars: bombLimit, want: "unpacks to more than"},
	"bomb-outer-gzip":  {format: "none", layer: bomb, outer: "gzip", vars: bombLimit, want: "unpacks to more than"},
	"bomb-outer-zstd":  {format: "none", layer: bomb, outer: "zstd", vars: bombLimit, want: "unpacks to more than"},
	"bomb-outer-xz":    {format: "none", layer: bomb, outer: "xz", vars: bombLimit, want: "unpacks to more than"},
	"sparse":           {layer: func(p *packer) { p.sparse("hole", 1<<40) }, want: "unpacks to more than"},
	"sparse-gigabytes": {layer: func(p *packer) { p.sparse("hole", 1<<30) }, vars: bombLimit, want: "unpacks to more than"},
	"tags":             {only: "docker", edit: func(f *forgery) { f.index = f.tagged(1000) }},
	"tags-too-many":    {only: "docker", edit: func(f *forgery) { f.index = f.tagged(5000) }, want: "names for images"},
	"tags-huge":        {only: "docker", edit: func(f *forgery) { f.index = f.tagged(100_000) }, want: "more than the"},
	"bad-tag":          {edit: func(f *forgery) { f.index = bytes.Replace(f.goodIndex(), []byte("localhost/x:1"), []byte("../x:1"), 1) }, want: "image name"},

	"path-above":    {layer: entries(tar.Header{Name: "../../../../escaped"}), want: "leads out"},
	"link-absolute": {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, tar.Header{Name: "d/escaped"})},
	"link-above":    {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "../../../../.."}, tar.Header{Name: "d/escaped"})},
	"hard-link-out": {layer: entries(tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../../../../../etc/passwd"}), want: "leads out"},
	"hard-link-through-link": {layer: entries(tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "d/passwd"}), want: "no such file"},
	"devices":        {layer: lies["devices"].layer},
	"setuid":         {layer: lies["setuid"].layer},
	"xattrs":         {layer: lies["xattrs"].layer},
	"whiteouts":      {layer: lies["whiteouts"].layer},
	"whiteout-above": {layer: lies["whiteout-above"].layer, want: "invalid whiteout path"},
	"duplicates":     {layer: lies["duplicates"].layer, want: "duplicates of file paths"},
}

// bomb unpacks to more than bombLimit.
var bomb = entries(tar.Header{Name: "zeros", Size: 250 << 20})

var bombLimit = []string{"HULL_MAX_UNPACKED=100m"}

// forged loads each: an error of one line and nothing stored, or an image that keeps to itself. One store sees them all.
func (s *suite) forged(t *testing.T) {
	for _, form := range []string{"docker", "oci"} {
		s.run(t, "hostile/load-"+form, func(t *testing.T) {
			b := filled(t, s.base)
			for name, c := range forges {
				if c.only == "" || c.only == form {
					t.Run(name, func(t *testing.T) {
						b.t = t
						b.load(c, form == "oci")
					})
				}
			}
			b.t = t
			b.inside()
			b.end()
		})
	}
}

// manyEntries is a layer of many entries in an archive.
func (s *suite) manyEntries(t *testing.T) {
	s.run(t, "hostile/load-many-entries", func(t *testing.T) {
		b := filled(t, s.base)
		b.load(forge{layer: many}, true)
		b.end()
	})
}

func (b *box) load(c forge, oci bool) {
	b.t.Helper()
	path := filepath.Join(b.Dir, "forged")
	if err := os.WriteFile(path, c.archive(b.t, oci), 0o600); err != nil {
		b.t.Fatal(err)
	}
	before := b.stored()
	r, memory := b.measured("load -q -i "+path, c.vars...)
	b.took(r, memory)
	if c.want != "" {
		b.says(r, c.want)
	} else if !r.ok() {
		b.t.Errorf("%s", r)
	}
	if r := b.do("image inspect --format {{.Id}} localhost/x:1"); r.ok() {
		b.measured("rmi -f " + strings.TrimSpace(r.stdout)) // a million files take their time
	}
	if after := b.stored(); !slices.Equal(before, after) {
		b.t.Errorf("stored before %v, and after %v", before, after)
	}
	if out := b.must("system check"); out != "" {
		b.t.Errorf("hull system check says %s", out)
	}
}

// archive makes it.
func (c forge) archive(t *testing.T, oci bool) []byte {
	t.Helper()
	format := c.format
	if format == "" && !oci {
		format = "none"
	}
	p := newPacker(t, format)
	if c.layer == nil {
		c.layer = entries(tar.Header{Name: "file", Size: 10_000})
	}
	c.layer(p)
	f := &forgery{oci: oci}
	f.layer, f.diff = p.pack()
	if c.edit != nil {
		c.edit(f)
	}
	parts := f.parts()
	if c.parts != nil {
		parts = c.parts(parts)
	}
	var out bytes.Buffer
	if c.outer == "" {
		c.outer = "none"
	}
	packed := packing(t, c.outer, &out)
	w := tar.NewWriter(packed)
	for _, p := range parts {
		p.Size, p.Mode = int64(len(p.data)), 0o644
		if p.Typeflag == 0 {
			p.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&p.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if c.bytes != nil {
		return c.bytes(out.Bytes())
	}
	return out.Bytes()
}

func blobPart(data []byte) part {
	return part{tar.Header{Name: "blobs/sha256/" + strings.TrimPrefix(sum(data), "sha256:")}, data}
}

func (f *forgery) parts() []part {
	index, config := f.goodIndex(), f.goodConfig()
	if f.index != nil {
		index = f.index
	}
	if !f.oci {
		return append(f.more, part{tar.Header{Name: "config.json"}, config}, part{tar.Header{Name: "manifest.json"}, index}, part{tar.Header{Name: "layer.tar"}, f.layer})
	}
	return append(f.more, part{tar.Header{Name: "oci-layout"}, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, part{tar.Header{Name: "index.json"}, index},
		blobPart(config), blobPart(f.goodManifest()), blobPart(f.layer))
}

func (f *forgery) goodConfig() []byte {
	if f.config != nil {
		return f.config
	}
	return fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, f.diff)
}

func (f *forgery) goodManifest() []byte {
	if f.manifest != nil {
		return f.manifest
	}
	config := f.goodConfig()
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		sum(config), len(config), sum(f.layer), len(f.layer))
}

func (f *forgery) goodIndex() []byte {
	if !f.oci {
		return []byte(`[{"Config":"config.json","RepoTags":["localhost/x:1"],"Layers":["layer.tar"]}]`)
	}
	m := f.goodManifest()
	return fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"localhost/x:1"}}]}`, sum(m), len(m))
}

// tagged is docker's manifest.json with so many tags.
func (f *forgery) tagged(n int) []byte {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"localhost/x:%d"`, i)
	}
	return bytes.Replace(f.goodIndex(), []byte(`"localhost/x:1"`), []byte(strings.Join(names, ",")), 1)
}
