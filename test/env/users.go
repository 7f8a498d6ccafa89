package env

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// makeUser adds the user if it is missing, with 65536 subordinate ids or with none.
func makeUser(t testing.TB, name string, subordinate bool) {
	t.Helper()
	if _, err := user.Lookup(name); err != nil {
		run(t, "useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh", name)
	}
	for file, letter := range map[string]string{"/etc/subuid": "u", "/etc/subgid": "g"} {
		have := ranges(t, file, name)
		switch {
		case subordinate && len(have) == 0:
			run(t, "usermod", "--add-sub"+letter+"ids", "1879048192-1879113727", name) // far from what useradd gives out
		case !subordinate:
			for _, r := range have {
				run(t, "usermod", "--del-sub"+letter+"ids", r, name)
			}
		}
	}
}

// ranges are the ranges of a user in /etc/subuid or /etc/subgid, as usermod takes them.
func ranges(t testing.TB, file, name string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "awk", "-F:", `$1 == "`+name+`" {print $2 "-" $2 + $3 - 1}`, file).Output()
	if err != nil {
		return nil // there is no such file yet; usermod makes it
	}
	return strings.Fields(string(out))
}

// makeBusybox writes an archive with Debian's static busybox, a link to it for each of its tools, and what programs expect of
// a root file system.
func makeBusybox(t testing.TB, base string) {
	t.Helper()
	root := filepath.Join(base, "busybox")
	for _, dir := range []string{"bin", "etc", "root", "home/app", "www", "var"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	must(t, os.MkdirAll(filepath.Join(root, "tmp"), 0o777))
	must(t, os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))
	run(t, "cp", "/bin/busybox", filepath.Join(root, "bin/busybox"))
	out, err := exec.CommandContext(t.Context(), "/bin/busybox", "--list").Output()
	must(t, err)
	for tool := range strings.FieldsSeq(string(out)) {
		if tool != "busybox" { // it lists itself, and a link to itself is no program
			must(t, os.Symlink("busybox", filepath.Join(root, "bin", tool)))
		}
	}
	files := map[string]string{
		"etc/passwd":     "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":      "root:x:0:\napp:x:1000:\nstaff:x:50:app\nnogroup:x:65534:\n",
		"www/index.html": "it works\n",
	}
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	run(t, "tar", "--owner=0", "--group=0", "-C", root, "-cf", Busybox(base, Profile{Identity: "single"}), ".")
	run(t, "chown", "1000:1000", filepath.Join(root, "home/app"))
	run(t, "tar", "--numeric-owner", "-C", root, "-cf", Busybox(base, Profile{}), ".")
	for _, identity := range []string{"single", "user"} {
		must(t, os.Chmod(Busybox(base, Profile{Identity: identity}), 0o644))
	}
}
