package define

// SystemPruneOptions is what podman-system-prune(1) removes besides stopped containers, networks that no container is on,
// and images without a name.
type SystemPruneOptions struct {
	Volumes bool     // also volumes that no container uses
	All     bool     // also images with a name that no container uses
	Filters []string // KEY=VALUE: label, label!, until; they hold for each kind of object
}

// SystemPruneReport is what is gone.
type SystemPruneReport struct {
	Containers []PruneReport
	Volumes    []VolumePruneReport
	Images     []ImagePruneReport
	Networks   []string // names
}

// Size is the bytes of all that is gone, as podman counts them: layers that several images share count for each.
func (r SystemPruneReport) Size() int64 {
	var total int64
	for _, c := range r.Containers {
		total += c.Size
	}
	for _, v := range r.Volumes {
		total += v.Size
	}
	for _, i := range r.Images {
		total += i.Size
	}
	return total
}

// PruneReport is a container that was removed.
type PruneReport struct {
	ID   string
	Size int64 // bytes of its own layer
}

// VolumePruneReport is a volume that was removed.
type VolumePruneReport struct {
	Name string
	Size int64 // bytes of its files
}
