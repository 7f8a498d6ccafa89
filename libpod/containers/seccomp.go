package containers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/ociruntime"
)

// crun 1.8 compiles the seccomp profile anew at each start, which takes a third of the whole start. It leaves the result
// in its state folder and takes one back through an annotation (crun(1), "run.oci.seccomp_bpf_data"). So the program is
// kept, in GRAPHROOT/hull/seccomp/KEY.bpf, mode 0600, under a key of all that it follows from: the profile in the spec,
// the runtime's own file, the kernel's release. A runtime whose file does not hold the annotation's name is never given
// it: it would run the container without a filter.
const bpfAnnotation = "run.oci.seccomp_bpf_data"

// filter is a compiled profile that is there, or to be kept after the start.
type filter struct {
	path string // of the kept program; "" when this start has no use for one
	made string // where the runtime leaves it
}

// reuseFilter puts a kept program into the spec in place of its profile. What it returns keeps one after the start.
func (s *Service) reuseFilter(r ociruntime.Runtime, id string, spec *specs.Spec) (*filter, error) {
	if spec.Linux.Seccomp == nil || r.Name() != "crun" {
		return nil, nil
	}
	key, err := filterKey(r.Path, spec.Linux.Seccomp)
	if err != nil {
		return nil, err
	}
	f := &filter{
		path: filepath.Join(s.Dirs.Static, "seccomp", key+".bpf"),
		made: filepath.Join(s.runtimeRoot(r), id, "seccomp.bpf"),
	}
	program, err := os.ReadFile(f.path)
	if err != nil || !isFilter(program) {
		return f, nil //nolint:nilerr // not kept yet, or not to be read: crun makes it
	}
	spec.Linux.Seccomp = nil
	spec.Annotations[bpfAnnotation] = base64.StdEncoding.EncodeToString(program)
	return nil, nil
}

func filterKey(runtime string, profile *specs.LinuxSeccomp) (string, error) {
	text, err := json.Marshal(profile)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(runtime, &st); err != nil {
		return "", fmt.Errorf("look at the OCI runtime %q: %w", runtime, err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	h := sha256.New()
	h.Write(fmt.Appendln(nil, runtime, st.Ino, st.Size, st.Mtim, st.Ctim, unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Machine[:])))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// isFilter reports whether data can be a BPF program: instructions of eight bytes, at most as many as the kernel takes.
func isFilter(data []byte) bool {
	const instruction, most = 8, 4096
	return len(data) > 0 && len(data)%instruction == 0 && len(data) <= instruction*most
}

// keep stores the program that the runtime has made. Without it the next start compiles again: no error fails a start.
func (f *filter) keep(runtime string) {
	if f == nil {
		return
	}
	program, err := os.ReadFile(f.made)
	if err != nil || !isFilter(program) || !knowsAnnotation(runtime) {
		return
	}
	if os.MkdirAll(filepath.Dir(f.path), 0o700) == nil {
		_ = atomicfile.WriteVolatile(f.path, program)
	}
}

func knowsAnnotation(runtime string) bool {
	program, err := os.ReadFile(runtime)
	return err == nil && bytes.Contains(program, []byte(bpfAnnotation))
}
