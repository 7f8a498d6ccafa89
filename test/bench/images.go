package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"hull.dev/hull/test/env"
)

// How many bytes each layer has, unpacked: of what is pulled and pushed, 500 MB in all, and of what is loaded and saved, a gigabyte.
var (
	layerSize   int64 = 42 << 20
	archiveSize int64 = 52 << 20
)

const (
	bigLayers     = 12
	archiveLayers = 20

	manyTags  = 10_000
	manyNames = 300
)

// images are the figures of pulls, pushes, loads and lists, against one registry on the loopback.
func (m *measurement) images() {
	m.Logf("images: %s", size())
	r := m.registry()
	dir := filepath.Join(m.hull.box.Dir, "images")
	small, big := filepath.Join(dir, "small.tar"), filepath.Join(dir, "big.tar")
	m.archive(small, "small", 1, 1<<10, 1)
	m.archive(big, "big", bigLayers, layerSize, 1)
	host := r.Host
	m.hull.do("load -q -i " + small)
	m.hull.do("load -q -i " + big)
	m.hull.do("push -q small " + host + "/small:1")
	m.hull.do("push -q big " + host + "/big:gzip")
	m.hull.do("push -q --compression-format zstd big " + host + "/big:zstd")
	m.hull.do("rmi small big")

	m.pair("pull, 1 small layer", 0.5, "pull -q "+host+"/small:1", "rmi "+host+"/small:1")
	m.times(rounds, "pull, "+size()+", gzip", 0.6, "pull -q "+host+"/big:gzip", "rmi "+host+"/big:gzip")
	m.times(rounds, "pull, "+size()+", zstd", 0.6, "pull -q "+host+"/big:zstd", "rmi "+host+"/big:zstd")
	m.elsewhere(r, dir)
	m.both("pull -q " + host + "/small:1")
	m.pair("pull with nothing to do", 0.3, "pull -q "+host+"/small:1", "")
	m.pair("run --pull=newer of an image that is there", 0.3, "run --rm --network=none --pull=newer busybox true", "")
	m.archives(dir)
	m.both("load -q -i " + big)
	m.pushes("gzip")
	m.pushes("zstd")
	m.memories("peak memory of a pull, "+size(), host+"/big:gzip")
	m.both("rmi localhost/big")
	if large {
		m.large(host, dir)
	}
	m.tags(r)
	m.names(dir)
	if err := r.Stop(); err != nil {
		m.Fatal(err)
	}
}

func size() string { return fmt.Sprintf("%d layers of %d MB", bigLayers, layerSize>>20) }

// registry starts one that both engines may speak to in the clear.
func (m *measurement) registry() *env.Registry {
	r, err := env.StartRegistry(env.RegistryOptions{Dir: filepath.Join(m.hull.box.Dir, "registry"+strconv.Itoa(rand.Int()))})
	if err != nil {
		m.Fatal(err)
	}
	for _, e := range []*engine{m.hull, m.podman} {
		if err := r.Configure(filepath.Join(e.box.Dir, "home")); err != nil {
			m.Fatal(err)
		}
	}
	return r
}

// archives times load of a large archive, and save of what was in it.
func (m *measurement) archives(dir string) {
	path, what := filepath.Join(dir, "archive.tar"), fmt.Sprintf("%d layers of %d MB", archiveLayers, archiveSize>>20)
	m.archive(path, "archive", archiveLayers, archiveSize, 1)
	m.times(rounds, "load, "+what, 0.5, "load -q -i "+path, "rmi localhost/archive")
	m.both("load -q -i " + path)
	saves := row{what: "save, " + what, limit: 0.6}
	for i := range rounds + 1 {
		took := map[*engine]time.Duration{}
		for _, e := range []*engine{m.hull, m.podman} {
			took[e] = e.time("save -q -o saved localhost/archive")
			if err := os.Remove(filepath.Join(e.box.Dir, "saved")); err != nil {
				m.Fatal(err)
			}
		}
		if i > 0 {
			saves.ours, saves.theirs = append(saves.ours, took[m.hull]), append(saves.theirs, took[m.podman])
		}
	}
	m.rows = append(m.rows, saves)
	m.both("rmi localhost/archive")
	if err := os.Remove(path); err != nil {
		m.Fatal(err)
	}
}

// pushes times a push of big to registries that have nothing.
func (m *measurement) pushes(format string) {
	what := row{what: "push, " + size() + ", " + format, limit: 0.6}
	for range rounds {
		for _, e := range []*engine{m.hull, m.podman} {
			r := m.registry()
			took := e.time("push -q --compression-format " + format + " localhost/big " + r.Host + "/big:1")
			if err := r.Stop(); err != nil {
				m.Fatal(err)
			}
			if e == m.hull {
				what.ours = append(what.ours, took)
			} else {
				what.theirs = append(what.theirs, took)
			}
		}
	}
	m.rows = append(m.rows, what)
}

// memories is the most that all processes of a pull have at once, together.
func (m *measurement) memories(what, image string) {
	f := fact{what: what, unit: " MB", limit: 150}
	for _, e := range []*engine{m.hull, m.podman} {
		done, most := make(chan struct{}), make(chan float64)
		before := e.box.Processes()
		go func() {
			highest := 0.0
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-done:
					most <- highest
					return
				case <-tick.C:
					highest = max(highest, proportional(e.box.Processes(), before))
				}
			}
		}()
		e.do("pull -q " + image)
		close(done)
		if e == m.hull {
			f.ours = <-most
		} else {
			f.theirs = <-most
		}
		e.do("rmi " + image)
	}
	m.facts = append(m.facts, f)
}

// tags times a list of many tags, which lie in the registry's folder.
func (m *measurement) tags(r *env.Registry) {
	repository := filepath.Join(filepath.Dir(r.Log), "data/docker/registry/v2/repositories/small/_manifests/tags")
	link, err := os.ReadFile(filepath.Join(repository, "1/current/link"))
	for i := range manyTags {
		current := filepath.Join(repository, "t"+strconv.Itoa(i), "current")
		if err == nil {
			err = os.MkdirAll(current, 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(current, "link"), link, 0o600)
		}
	}
	if err != nil {
		m.Fatal(err)
	}
	m.times(rounds, fmt.Sprintf("search --list-tags, %d tags", manyTags), 0.5, fmt.Sprintf("search --list-tags --limit %d %s/small", 2*manyTags, r.Host), "")
}

// names times a list of many images.
func (m *measurement) names(dir string) {
	many := filepath.Join(dir, "many.tar")
	m.archive(many, "many", 1, 1<<10, manyNames)
	m.both("load -q -i " + many)
	m.times(1, fmt.Sprintf("images, %d of them", manyNames), 0.2, "images", "") // podman takes most of a minute
	m.pair("image inspect", 0.2, "image inspect many", "")
}

// archive writes an archive of docker save's with so many images of one name, which differ in a label. The last one has
// the tag latest.
func (m *measurement) archive(path, name string, layers int, size int64, images int) {
	check := func(err error) {
		if err != nil {
			m.Fatal(err)
		}
	}
	check(os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.Create(path)
	check(err)
	w := tar.NewWriter(f)
	add := func(name string, data []byte) {
		check(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		check(err)
	}
	source := m.debian() // of two images with layers of one size, the lower layers are the same
	var files []string
	var diffs []digest.Digest
	for i := range layers {
		layer, err := source.layer(size)
		check(err)
		files, diffs = append(files, strconv.Itoa(i)+".tar"), append(diffs, digest.FromString(layer))
		add(files[i], []byte(layer))
	}
	var list []map[string]any
	for i := range images {
		config, err := json.Marshal(map[string]any{
			"architecture": "amd64", "os": "linux", "config": map[string]any{"Labels": map[string]string{"n": strconv.Itoa(i)}},
			"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
		})
		check(err)
		tag := strconv.Itoa(i)
		if i == images-1 {
			tag = "latest"
		}
		add(tag+".json", config)
		list = append(list, map[string]any{"Config": tag + ".json", "RepoTags": []string{"localhost/" + name + ":" + tag}, "Layers": files})
	}
	toc, err := json.Marshal(list)
	check(err)
	add("manifest.json", toc)
	check(w.Close())
	check(f.Close())
}
