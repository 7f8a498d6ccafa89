package confine

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needed are chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid, sys_chroot, sys_admin, mknod and setfcap.
const needed = "00000000882400df"

// TestConfined is about this process, which imports the package, and about one that it starts.
func TestConfined(t *testing.T) {
	mine, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	child, err := exec.CommandContext(t.Context(), "cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	filtered := runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
	for whose, status := range map[string]string{"its own": string(mine), "a child's": string(child)} {
		if !strings.Contains(status, "NoNewPrivs:\t1") || filtered && !strings.Contains(status, "Seccomp:\t2") {
			t.Errorf("%s:\n%s", whose, status)
		}
		for _, set := range regexp.MustCompile(`(?m)^Cap(Inh|Prm|Eff|Bnd|Amb):\t(.*)$`).FindAllStringSubmatch(status, -1) {
			if os.Geteuid() != 0 && set[1] == "Bnd" {
				continue // not to be dropped by who has none
			}
			if strings.Trim(set[2], "0") != "" && set[2] != needed {
				t.Errorf("%s capabilities: %s, want none or %s", whose, set[0], needed)
			}
		}
	}
	if _, _, err := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); filtered && err != unix.EPERM { // it asks, and changes nothing
		t.Errorf("personality(2) says %v", err)
	}
}
