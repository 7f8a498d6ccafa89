package define

import "time"

// Image is an image of the store.
type Image struct {
	ID          string            // 64 hexadecimal digits
	Names       []string          // NAME:TAG, normalized
	Digest      string            // of the manifest
	RepoDigests []string          // NAME@DIGEST
	Parent      string            // id of the image whose layers these continue, or ""
	Created     time.Time         // as the image's config says
	Size        int64             // bytes, with all layers
	SharedSize  int64             // bytes of layers that other images have too
	TopLayer    string            // id in the store
	ReadOnly    bool              // of an additional image store
	Containers  int               // how many containers of any engine use it
	Labels      map[string]string // of the image's config
	Config      ImageConfig
}

// ImageConfig is the part of an image's config that containers are made from (image-spec config.md).
type ImageConfig struct {
	Author       string
	Architecture string
	OS           string
	Variant      string
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      []string // sorted
	WorkingDir   string
	ExposedPorts []string // sorted, PORT/PROTOCOL
	StopSignal   string
	Layers       []string // diff ids, lowest first
	History      []ImageHistory
	Comment      string
	ManifestType string
}

// ImageHistory is one step that made an image (image-spec config.md "history").
type ImageHistory struct {
	Created    time.Time
	CreatedBy  string
	Author     string
	Comment    string
	EmptyLayer bool
}

// Event is something that happened to an object (podman-events(1)).
type Event struct {
	Time       time.Time         `json:"time"`
	Type       string            `json:"type"`   // container, image, network, volume, system
	Status     string            `json:"status"` // create, start, died, remove …
	ID         string            `json:"id,omitempty"`
	Name       string            `json:"name,omitempty"`
	Image      string            `json:"image,omitempty"`
	ExitCode   *int              `json:"exitCode,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}
