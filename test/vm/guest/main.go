// Command guest is the first process of the virtual machine of test/vm. It does what /plan says, a line an act, and turns the
// machine off:
//
//	load PATH            puts a module into the kernel
//	run PATH ARGUMENT…   runs a program to its end
//
// What the programs say goes to the second serial line, and behind each of them a line "PATH exited CODE".
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// results is the serial line that the host of the machine reads.
const results = "/dev/ttyS1"

func main() {
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func work() error {
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}} {
		if err := os.MkdirAll(m[1], 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	out, err := os.OpenFile(results, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	plan, err := os.ReadFile("/plan")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(plan)) {
		words := strings.Fields(line)
		if words[0] == "load" {
			err = load(words[1])
		} else {
			err = run(out, words[1], words[2:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

func run(out io.Writer, path string, args []string) error {
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, "/tmp"
	cmd.Env = []string{"PATH=/", "HOME=/tmp"}
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s exited %d\n", path, cmd.ProcessState.ExitCode())
	return err
}
