package containers

import (
	"path/filepath"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/ociruntime"
)

// runtime is the OCI runtime of a container, with its state in a folder of this engine's: two graph roots never see
// each other's.
func (s *Service) runtime(c *define.ContainerConfig) (ociruntime.Runtime, error) {
	path, err := s.Config.FindRuntime(c.Options.Runtime)
	if err != nil {
		return ociruntime.Runtime{}, err
	}
	r := ociruntime.Runtime{Path: path, Flags: s.RuntimeFlags}
	r.Root = s.runtimeRoot(r)
	return r, nil
}

func (s *Service) runtimeRoot(r ociruntime.Runtime) string {
	return filepath.Join(s.Dirs.Volatile, r.Name())
}

// createArgs are the flags of the runtime's run and create that containers.conf asks for; crun and runc have the same.
func (s *Service) createArgs() []string {
	var args []string
	if !s.Config.Containers.Keyring {
		args = append(args, "--no-new-keyring")
	}
	if s.Config.Engine.NoPivotRoot {
		args = append(args, "--no-pivot")
	}
	return args
}
