package containers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/ociruntime"
)

// crun 1.8 compiles the seccomp profile anew at each start, which takes a third of the whole start. It leaves the result
// in its state folder and takes one back through an annotation (crun(1), "run.oci.seccomp_bpf_data"). So the program is
// kept, in GRAPHROOT/hull/seccomp/KEY.bpf, mode 0600, under a key of all that it follows from: the profile's file, the container's
// capabilities, the runtime's own file, the kernel's release. A runtime whose file does not hold the annotation's name is never given
// it: it would run the container without a filter.
const bpfAnnotation = "run.oci.seccomp_bpf_data"

// filter is a compiled profile that is there, or to be kept after the start.
type filter struct {
	path string // of the kept program; "" when this start has no use for one
	made string // where the runtime leaves it
}

// setFilter puts the container's profile into the spec, or the program that was kept of it. What it returns keeps one after the start.
func (s *Service) setFilter(r ociruntime.Runtime, in *ocispec.Input, spec *specs.Spec) (*filter, error) {
	from, err := ocispec.Filter(in)
	if err != nil || from == ocispec.Unconfined {
		return nil, err
	}
	if r.Name() != "crun" {
		return nil, ocispec.SetFilter(spec, from)
	}
	key, err := filterKey(r.Path, from, spec)
	if err != nil {
		return nil, err
	}
	f := &filter{
		path: filepath.Join(s.Dirs.Static, "seccomp", key+".bpf"),
		made: filepath.Join(s.runtimeRoot(r), in.Config.ID, "seccomp.bpf"),
	}
	program, err := os.ReadFile(f.path)
	if err != nil || !isFilter(program) {
		return f, ocispec.SetFilter(spec, from) // not kept yet, or not to be read: crun makes it
	}
	spec.Annotations[bpfAnnotation] = base64.StdEncoding.EncodeToString(program)
	return nil, nil
}

// filterKey is of all that a program follows from. A file is known by what changes with what is in it; the built-in profile is in
// hull's own.
func filterKey(runtime, profile string, spec *specs.Spec) (string, error) {
	h := sha256.New()
	for _, path := range []string{runtime, cmp.Or(profile, "/proc/self/exe")} {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return "", &os.PathError{Op: "stat", Path: path, Err: err}
		}
		_, _ = fmt.Fprintln(h, path, st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	_, _ = fmt.Fprintln(h, unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Machine[:]))
	if c := spec.Process.Capabilities; c != nil {
		_, _ = fmt.Fprintln(h, slices.Sorted(slices.Values(c.Bounding)))
	}
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
