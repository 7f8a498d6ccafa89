// Package vm runs root's tests of networks in a virtual machine with Debian's kernel: what they need, the kernel of a machine that
// tests run on may not have, as ipvlan, sctp, VRF devices and VLANs of bridges.
//
//	make vm
//
// The machine is qemu's, emulated, so that it needs no right and no hardware. It boots the kernel into a root file system of the
// test binaries and one small program that starts them (guest), and is gone after half a minute. See
// docs/design/0015-a-virtual-machine.md.
package vm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/test/env"
)

// running is what the machine may take, on one with much else to do.
const running = 5 * time.Minute

// drivers are the kernel's modules that networks need, those of hosts that have them all built in.
var drivers = []string{
	"crc32c_generic", "bridge", "veth", "macvlan", "ipvlan", "vrf", "sctp",
	"nf_tables", "nf_conntrack", "nf_conntrack_netlink", "nft_chain_nat", "nft_ct", "nft_nat", "nft_masq", "nft_fib_inet", "nft_reject_inet", "nft_meta_bridge",
}

// suites are the tests, by package. None of them may be skipped.
var suites = map[string][]string{
	"pkg/network/server": {"TestIpvlan", "TestIpvlanRouted", "TestMacvlan", "TestPublishedSCTP", "TestSeparatePublished", "TestVLAN", "TestVLANOfUnmanagedBridge", "TestVRF"},
}

func TestVM(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		env.Skip(t, "the machine is an amd64")
	}
	const qemu = "qemu-system-x86_64"
	if _, err := exec.LookPath(qemu); err != nil {
		env.Skip(t, qemu+" is not installed: make test-deps")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	kernel := kernel(t, filepath.Join(repository, ".cache"))
	images, err := filepath.Glob(filepath.Join(kernel, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		t.Fatalf("the kernel is one of %v, %v", images, err)
	}
	dir := t.TempDir()
	root, out := filepath.Join(dir, "root"), filepath.Join(dir, "out")
	if err := os.WriteFile(root, rootFS(t, repository, dir, kernel), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), running)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, qemu, "-nodefaults", "-display", "none", "-no-reboot", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", "2", "-m", "1024", "-serial", "stdio", "-serial", "file:"+out,
		"-kernel", images[0], "-initrd", root, "-append", "console=ttyS0 quiet panic=-1")
	console, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", qemu, err)
	}
	t.Logf("the machine ran for %s", time.Since(start).Round(time.Second))
	text, err := os.ReadFile(out)
	if err != nil {
		t.Error(err)
	}
	judge(t, string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
	if t.Failed() {
		t.Logf("the console:\n%s\nthe tests:\n%s", console, text)
	}
}

// judge wants each test to have passed.
func judge(t *testing.T, text string) {
	t.Helper()
	for _, line := range regexp.MustCompile(`(?m)^ *--- SKIP.*$`).FindAllString(text, -1) {
		t.Errorf("in the machine: %s", line)
	}
	for path, tests := range suites {
		for _, name := range tests {
			if m := regexp.MustCompile(`(?m)^--- (\w+): ` + name + ` \(.*$`).FindStringSubmatch(text); m == nil {
				t.Errorf("%s %s did not come to an end", path, name)
			} else if m[1] != "PASS" {
				t.Errorf("%s %s in the machine: %s", path, name, m[1])
			}
		}
		if !strings.Contains(text, binary(path)+" exited 0\n") {
			t.Errorf("the tests of %s have not ended well", path)
		}
	}
}

// binary is where the tests of a package are in the machine.
func binary(path string) string { return "/" + strings.ReplaceAll(path, "/", "-") + ".test" }

// rootFS is what the machine has: the modules, the tests, and who starts them.
func rootFS(t *testing.T, repository, dir, kernel string) []byte {
	t.Helper()
	var a archive
	var plan strings.Builder
	for _, path := range modules(t, kernel, drivers) {
		name := "modules/" + filepath.Base(path)
		a.copy(t, name, path)
		fmt.Fprintf(&plan, "load /%s\n", name)
	}
	build := func(to string, args ...string) {
		t.Helper()
		args = append(args, "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "program"))
		cmd := exec.CommandContext(t.Context(), "go", append(args, to)...)
		cmd.Dir, cmd.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	build("./test/vm/guest", "build")
	a.copy(t, "init", filepath.Join(dir, "program"))
	for path, tests := range suites {
		build("./"+path, "test", "-c")
		a.copy(t, binary(path)[1:], filepath.Join(dir, "program"))
		fmt.Fprintf(&plan, "run %s -test.v -test.run=^(%s)$\n", binary(path), strings.Join(tests, "|"))
	}
	a.put("plan", []byte(plan.String()))
	a.end()
	return a.Bytes()
}
