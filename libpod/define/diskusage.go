package define

import "time"

// DiskUsage is what podman-system-df(1) tells of the space that images, containers and volumes take.
type DiskUsage struct {
	Images     []ImageUsage // older ones first
	Containers []ContainerUsage
	Volumes    []VolumeUsage // by name

	ImagesSize   int64 // bytes of all images, each layer once
	ImagesUnused int64 // of them what goes with the images that no container is made from
}

// ImageUsage is the space of one image.
type ImageUsage struct {
	ID         string
	Names      []string
	Created    time.Time
	Size       int64 // bytes, with all layers
	SharedSize int64 // of them those of layers that other images have too
	Containers int   // of any engine
}

// ContainerUsage is the space of one container.
type ContainerUsage struct {
	ID      string
	Name    string
	ImageID string // "" with --rootfs
	Command []string
	Volumes int // named and anonymous ones
	Created time.Time
	Status  Status
	Size    int64 // bytes that it wrote into its own layer
}

// VolumeUsage is the space of one volume.
type VolumeUsage struct {
	Name  string
	Links int   // containers that use it
	Size  int64 // bytes
}
