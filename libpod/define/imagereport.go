package define

import "time"

// ImageSummary is one line of podman-images(1), with the fields and names of its JSON.
type ImageSummary struct {
	ID             string            `json:"Id"`
	ParentID       string            `json:"ParentId"`
	RepoTags       []string          `json:"RepoTags"` // nil in podman's JSON; Names has them
	RepoDigests    []string          `json:"RepoDigests"`
	Size           int64             `json:"Size"`        // bytes, with all layers
	SharedSize     int64             `json:"SharedSize"`  // bytes of layers of other images too
	VirtualSize    int64             `json:"VirtualSize"` // as Size
	Labels         map[string]string `json:"Labels"`
	Containers     int               `json:"Containers"` // of any engine
	ReadOnly       bool              `json:"ReadOnly,omitempty"`
	Dangling       bool              `json:"Dangling,omitempty"` // no name, and nothing is made from it
	IsManifestList bool              `json:"IsManifestList,omitempty"`
	Names          []string          `json:"Names,omitempty"`
	Digest         string            `json:"Digest,omitempty"`
	History        []string          `json:"History,omitempty"` // names it has or had
	Created        time.Time         `json:"-"`                 // as its config says
}

// ImageInspect is what podman-image-inspect(1) prints of an image.
type ImageInspect struct {
	ID           string             `json:"Id"`
	Digest       string             `json:"Digest"`
	RepoTags     []string           `json:"RepoTags"`
	RepoDigests  []string           `json:"RepoDigests"`
	Parent       string             `json:"Parent"`
	Comment      string             `json:"Comment"`
	Created      *time.Time         `json:"Created"`
	Config       *ImageInspectConf  `json:"Config"`
	Version      string             `json:"Version"`
	Author       string             `json:"Author"`
	Architecture string             `json:"Architecture"`
	Os           string             `json:"Os"`
	Size         int64              `json:"Size"`
	VirtualSize  int64              `json:"VirtualSize"`
	GraphDriver  *ImageGraphDriver  `json:"GraphDriver"`
	RootFS       *ImageRootFS       `json:"RootFS"`
	Labels       map[string]string  `json:"Labels"`
	Annotations  map[string]string  `json:"Annotations"`
	ManifestType string             `json:"ManifestType"`
	User         string             `json:"User"`
	History      []ImageHistoryStep `json:"History"`
	NamesHistory []string           `json:"NamesHistory"`
	HealthCheck  *ImageHealthCheck  `json:"Healthcheck,omitempty"`
}

// ImageInspectConf is the config of the image as image-spec config.md has it.
type ImageInspectConf struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
}

// ImageHealthCheck is how to see whether a container of the image is well; durations are nanoseconds.
type ImageHealthCheck struct {
	Test        []string      `json:"Test,omitempty"`
	StartPeriod time.Duration `json:"StartPeriod,omitempty"`
	Interval    time.Duration `json:"Interval,omitempty"`
	Timeout     time.Duration `json:"Timeout,omitempty"`
	Retries     int           `json:"Retries,omitempty"`
}

// ImageGraphDriver is where the storage driver keeps the image.
type ImageGraphDriver struct {
	Name string            `json:"Name"`
	Data map[string]string `json:"Data"`
}

// ImageRootFS names the layers by the digests of their uncompressed tars, lowest first.
type ImageRootFS struct {
	Type   string   `json:"Type"`
	Layers []string `json:"Layers"`
}

// ImageHistoryStep is a step as image-spec config.md writes it.
type ImageHistoryStep struct {
	Created    *time.Time `json:"created,omitempty"`
	CreatedBy  string     `json:"created_by,omitempty"`
	Author     string     `json:"author,omitempty"`
	Comment    string     `json:"comment,omitempty"`
	EmptyLayer bool       `json:"empty_layer,omitempty"`
}

// ImageHistoryLayer is one line of podman-history(1), newest first.
type ImageHistoryLayer struct {
	ID        string // of the image that ends with this step, or "<missing>"
	Created   time.Time
	CreatedBy string
	Size      int64 // bytes of the step's layer; 0 when it made none
	Comment   string
	Tags      []string // always empty, as podman's
}

// ImageListOptions is what podman-images(1) can be asked for.
type ImageListOptions struct {
	All     bool     // intermediate images too
	Filters []string // KEY=VALUE; of one key any has to hold, of label all
}

// ImageRemoveOptions is how images are removed (podman-rmi(1)).
type ImageRemoveOptions struct {
	All     bool
	Force   bool // also with several names, and with its containers
	Ignore  bool // a missing image is not an error
	NoPrune bool // keep untagged parents
}

// ImageRemoveReport is what became of one image.
type ImageRemoveReport struct {
	Untagged []string
	Deleted  string // id, or "" when only names went
}

// ImageTree is what podman-image-tree(1) shows of an image.
type ImageTree struct {
	ID     string
	Tags   []string
	Size   int64             // bytes, with all layers
	Layers []*ImageTreeLayer // the image's own, lowest first; with WhatRequires its top layer, with what stands on it
}

// ImageTreeLayer is a layer in an ImageTree.
type ImageTreeLayer struct {
	ID    string
	Size  int64    // bytes of its files as a tar; 0 when the store does not know
	Tags  []string // names of the images whose top layer it is
	Above []*ImageTreeLayer
	Twin  bool // another layer stands on the same one
}

// ImageMount is where an image is mounted (podman-image-mount(1)).
type ImageMount struct {
	ID           string   `json:"id"`
	Digests      []string `json:"Names"` // of its manifests
	Repositories []string `json:"Repositories"`
	Path         string   `json:"mountpoint"`
}

// ImageMountOptions is which images are mounted or unmounted.
type ImageMountOptions struct {
	All   bool // instead of those that are named
	Force bool // unmount: however often it was mounted
}

// ImageDiff are the paths in which two root file systems differ, as podman-image-diff(1) has them in JSON.
type ImageDiff struct {
	Changed []string `json:"changed,omitempty"`
	Added   []string `json:"added,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

// ImagePruneOptions is which images podman-image-prune(1) removes.
type ImagePruneOptions struct {
	All      bool     // also those with names
	External bool     // also those that containers of builds use, and these containers
	Filters  []string // as ImageListOptions has them
}

// ImagePruneReport is an image that was removed.
type ImagePruneReport struct {
	ID   string
	Size int64 // bytes, with all layers, also those that other images have
}
