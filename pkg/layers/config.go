package layers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
)

// Media types of manifests (image-spec media-types.md, distribution "manifest v2 schema 2").
const (
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// maxBlob bounds the manifests and configs that are parsed: what is in the store came from outside once.
const maxBlob = 4 << 20

// Config is an image's config: image-spec config.md, and the same in Docker's schema 2, which has some fields more.
type Config struct {
	Created      *time.Time      `json:"created"`
	Author       string          `json:"author"`
	Architecture string          `json:"architecture"`
	Variant      string          `json:"variant"`
	OS           string          `json:"os"`
	OSVersion    string          `json:"os.version"`
	Comment      string          `json:"comment"`        // schema 2 only
	DockerVer    string          `json:"docker_version"` // schema 2 only
	Config       ContainerConfig `json:"config"`
	RootFS       RootFS          `json:"rootfs"`
	History      []History       `json:"history"`

	ManifestType string            `json:"-"` // media type of the manifest
	Annotations  map[string]string `json:"-"` // of the manifest
	Layers       []string          `json:"-"` // digests of the blobs, as the manifest has them
}

// ContainerConfig is what containers of the image are made from unless they ask for something else.
type ContainerConfig struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	Shell        []string            `json:"Shell,omitempty"`   // schema 2 only
	OnBuild      []string            `json:"OnBuild,omitempty"` // schema 2 only
	Healthcheck  *Healthcheck        `json:"Healthcheck,omitempty"`
}

// Healthcheck is how to see whether a container is well (schema 2 only). Durations are nanoseconds; 0 inherits.
type Healthcheck struct {
	Test        []string      `json:"Test,omitempty"` // NONE, CMD ARGV… or CMD-SHELL LINE
	Interval    time.Duration `json:"Interval,omitempty"`
	Timeout     time.Duration `json:"Timeout,omitempty"`
	StartPeriod time.Duration `json:"StartPeriod,omitempty"`
	Retries     int           `json:"Retries,omitempty"`
}

// RootFS names the layers by the digests of their uncompressed tars, lowest first.
type RootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// History is one step that made the image, oldest first.
type History struct {
	Created    *time.Time `json:"created"`
	CreatedBy  string     `json:"created_by"`
	Author     string     `json:"author"`
	Comment    string     `json:"comment"`
	EmptyLayer bool       `json:"empty_layer"`
}

// manifest is what OCI and Docker manifests have in common.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        blob              `json:"config"`
	Layers        []blob            `json:"layers"`
	Manifests     []json.RawMessage `json:"manifests"`
	Annotations   map[string]string `json:"annotations"`
	schema1
}

type blob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
}

func (m *manifest) mediaType() string {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.SchemaVersion == 1:
		return typeSchema1
	case len(m.Manifests) > 0:
		return typeOCIIndex
	case strings.HasPrefix(m.Config.MediaType, "application/vnd.docker."):
		return typeDockerManifest
	}
	return typeOCIManifest
}

// Config reads the image's config and what its manifest adds. ErrInvalidArgument when it is not an image that
// containers can be made from (a list of images, damaged data).
func (s *Store) Config(ctx context.Context, img Image) (Config, error) {
	m, err := s.manifest(ctx, img)
	if err != nil {
		return Config{}, err
	}
	if m.mediaType() == typeSchema1 {
		return m.ownConfig(img.ID)
	}
	if t := m.mediaType(); t != typeOCIManifest && t != typeDockerManifest {
		return Config{}, errs.Invalid("image %q: no config in a manifest of type %q", short(img.ID), t)
	}
	data, err := s.data(ctx, img, m.Config.Digest)
	if err != nil {
		return Config{}, err
	}
	return m.config(img.ID, data)
}

// ParseConfig is Config of an image that is not in the store, by its id and the bytes of its manifest and config.
func ParseConfig(id string, manifestData, configData []byte) (Config, error) {
	var m manifest
	if err := json.Unmarshal(manifestData, &m); err != nil {
		return Config{}, errs.Invalid("image %q: its manifest is damaged: %v", short(id), err)
	}
	return m.config(id, configData)
}

// config reads the config that belongs to the manifest.
func (m *manifest) config(id string, data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, errs.Invalid("image %q: its config is damaged: %v", short(id), err)
	}
	c.ManifestType, c.Annotations = m.mediaType(), m.Annotations
	for _, l := range m.Layers {
		c.Layers = append(c.Layers, l.Digest)
	}
	return c, nil
}

// IsList reports whether the image is a list of images for platforms (podman manifest).
func (s *Store) IsList(ctx context.Context, img Image) (bool, error) {
	m, err := s.manifest(ctx, img)
	if err != nil {
		return false, err
	}
	t := m.mediaType()
	return t == typeOCIIndex || t == typeDockerList, nil
}

// Manifest is the manifest of an image or list as it was stored, and its media type.
func (s *Store) Manifest(ctx context.Context, img Image) (data []byte, mediaType string, err error) {
	if data, err = s.data(ctx, img, "manifest"); err != nil {
		return nil, "", err
	}
	m, err := s.manifest(ctx, img)
	return data, m.mediaType(), err
}

func (s *Store) manifest(ctx context.Context, img Image) (manifest, error) {
	var m manifest
	data, err := s.data(ctx, img, "manifest")
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, errs.Invalid("image %q: its manifest is damaged: %v", short(img.ID), err)
	}
	return m, nil
}

func (s *Store) data(ctx context.Context, img Image, key string) ([]byte, error) {
	store, err := s.images(ctx)
	if err != nil {
		return nil, err
	}
	if n := img.dataSizes[key]; n > maxBlob {
		return nil, errs.Invalid("image %q: %q has %d bytes, which is more than the %d that are read", short(img.ID), key, n, maxBlob)
	}
	data, err := store.ImageBigData(img.ID, key)
	if err != nil {
		if !slices.Contains(img.dataNames, key) {
			return nil, fmt.Errorf("image %q has no data %q: %w", short(img.ID), key, classed(err))
		}
		return nil, wrap(err, "read data %q of image %q", key, short(img.ID))
	}
	return data, nil
}
