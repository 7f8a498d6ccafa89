package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hull.dev/hull/test/env"
)

// large says that the image of two gigabytes is pulled too.
var large = true

const (
	largeLayers = 60
	largeSize   = 34 << 20 // of each layer
)

// elsewhere are the pulls that depend on what is here already, or on the line, and the floor below all pulls.
func (m *measurement) elsewhere(r *env.Registry, dir string) {
	base := filepath.Join(dir, "base.tar")
	m.archive(base, "base", bigLayers-1, layerSize, 1)
	m.hull.do("load -q -i " + base)
	m.hull.do("push -q base " + r.Host + "/base:1")
	m.hull.do("rmi base")
	m.both("pull -q " + r.Host + "/base:1")
	m.times(rounds, fmt.Sprintf("pull, %s, %d of them there", size(), bigLayers-1), 0.3, "pull -q "+r.Host+"/big:gzip", "rmi "+r.Host+"/big:gzip")
	m.both("rmi " + r.Host + "/base:1")

	p, err := env.StartProxy(env.ProxyOptions{Registry: r, Latency: 50 * time.Millisecond, Rate: 50e6})
	if err != nil {
		m.Fatal(err)
	}
	for _, e := range []*engine{m.hull, m.podman} {
		if err := p.Configure(filepath.Join(e.box.Dir, "home")); err != nil {
			m.Fatal(err)
		}
	}
	m.times(rounds, "pull, "+size()+", 50 ms and 50 MB/s away", 0.7, "pull -q "+p.Host+"/big:gzip", "rmi "+p.Host+"/big:gzip")
	if err := p.Stop(); err != nil {
		m.Fatal(err)
	}
	m.floor(r.Host)
}

// floor is how long curl and pigz take to fetch and unpack the same layers, into nothing.
func (m *measurement) floor(host string) {
	for _, program := range []string{"curl", "pigz"} {
		if _, err := exec.LookPath(program); err != nil {
			m.Logf("no floor: %v", err)
			return
		}
	}
	request, err := http.NewRequestWithContext(m.Context(), http.MethodGet, "http://"+host+"/v2/big/manifests/gzip", nil)
	if err != nil {
		m.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		m.Fatal(err)
	}
	defer answer.Body.Close()
	var manifest struct {
		Layers []struct{ Digest string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&manifest); err != nil || len(manifest.Layers) != bigLayers {
		m.Fatalf("the manifest of big has %d layers: %v", len(manifest.Layers), err)
	}
	words := []string{"-euc", `for url; do curl -sSf "$url" | pigz -dc >/dev/null; done`, "sh"}
	for _, l := range manifest.Layers {
		words = append(words, "http://"+host+"/v2/big/blobs/"+l.Digest)
	}
	var took []float64
	for range rounds {
		start := time.Now()
		if out, err := exec.CommandContext(m.Context(), "sh", words...).CombinedOutput(); err != nil {
			m.Fatalf("curl and pigz: %v: %s", err, strings.TrimSpace(string(out)))
		}
		took = append(took, milliseconds(time.Since(start)))
	}
	m.facts = append(m.facts, fact{what: "the floor: curl and pigz of the same gzip layers, into nothing", ours: math.Round(median(took)), unit: " ms"})
}

// large is the memory of a pull of two gigabytes.
func (m *measurement) large(host, dir string) {
	path := filepath.Join(dir, "large.tar")
	m.archive(path, "large", largeLayers, largeSize, 1)
	m.hull.do("load -q -i " + path)
	m.hull.do("push -q large " + host + "/large:1")
	m.hull.do("rmi large")
	m.memories(fmt.Sprintf("peak memory of a pull, %d layers of %d MB", largeLayers, largeSize>>20), host+"/large:1")
}
