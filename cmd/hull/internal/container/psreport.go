package container

import "hull.dev/hull/libpod/define"

// psReport is a container in podman's JSON.
type psReport struct {
	AutoRemove bool
	Command    []string
	CreatedAt  string
	Exited     bool
	ExitedAt   int64
	ExitCode   int
	ID         string `json:"Id"`
	Image      string
	ImageID    string
	IsInfra    bool
	Labels     map[string]string
	Mounts     []string
	Names      []string
	Namespaces map[string]string
	Networks   []string
	Pid        int
	Pod        string
	PodName    string
	Ports      []define.PortMapping
	Restarts   int
	Size       *psSize
	StartedAt  int64
	State      string
	Status     string
	Created    int64
}

type psSize struct {
	RootFsSize int64 `json:"rootFsSize"` // podman's name
	RWSize     int64 `json:"rwSize"`
}

func (r psRow) report() psReport {
	p := psReport{
		AutoRemove: r.AutoRemove(), Command: r.c.Config.CommandOnly, CreatedAt: r.Created(), Exited: r.Exited(), ExitedAt: r.ExitedAt(),
		ExitCode: r.ExitCode(), ID: r.c.Config.ID, Image: r.Image(), ImageID: r.c.Config.ImageID, Labels: r.Labels(), Mounts: r.Mounts(),
		Names: []string{r.c.Config.Name}, Namespaces: map[string]string{}, Networks: r.networks(), Pid: r.c.PID,
		Ports: r.c.Config.Ports, Restarts: r.c.Restarts, StartedAt: r.StartedAt(), State: string(r.c.Status), Status: r.Status(),
		Created: r.c.Config.Created.Unix(),
	}
	if r.c.Status == define.StatusStorage {
		p.Mounts, p.Networks, p.StartedAt, p.ExitedAt = nil, nil, 0, 0
		return p
	}
	if r.o.size {
		p.Size = &psSize{r.root, r.rw}
	}
	return p
}
