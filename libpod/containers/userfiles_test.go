package containers

import (
	"os"
	"path/filepath"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
)

func TestHasID(t *testing.T) {
	file := []byte("root:x:0:0::/:\nweb:x:33\nbroken\n:::\nnot:7:8:33\n")
	for id, want := range map[int]bool{0: true, 33: true, 7: false, 8: true, 3: false} {
		if got := hasID(file, id); got != want {
			t.Errorf("%d: %v", id, got)
		}
	}
}

func TestAppended(t *testing.T) {
	for file, want := range map[string]string{"": "x\n", "a\n": "a\nx\n", "a": "a\nx\n"} {
		if got := string(appended([]byte(file), "x")); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

func TestWriteUser(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"passwd": "app:x:1000:1000::/home/app:/bin/sh", "group": "app:x:1000:\n"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const app = "app:x:1000:1000::/home/app:/bin/sh\n"
	for _, c := range []struct {
		user                string
		change              func(o *define.CreateOptions)
		passwd, group, home string
	}{
		{user: "1234:99", passwd: app + "1234:*:1234:99:container user:/w:/bin/sh\n", group: "app:x:1000:\n99:x:99:1234\n", home: "/w"},
		{user: "1234", passwd: app + "1234:*:1234:0:container user:/w:/bin/sh\n", home: "/w"},
		{user: "1234:app", passwd: app + "1234:*:1234:1000:container user:/w:/bin/sh\n", home: "/w"},
		{user: "app:99", group: "app:x:1000:\n99:x:99:app\n"},
		{user: "0:99", group: "app:x:1000:\n99:x:99:0\n"},
		{user: "1000:1000"},
		{user: "app"},
		{user: ""},
		{user: "0"},
		{user: "1234:99", change: func(o *define.CreateOptions) { o.Passwd = false }},
		{
			user: "7:8",
			change: func(o *define.CreateOptions) {
				o.PasswdEntry, o.GroupEntry = "me:$UID:$GID", "us:$GID:$GROUPNAME:$USERLIST"
			},
			passwd: app + "me:7:8\n", group: "app:x:1000:\nus:8:8:7\n",
		},
		{user: "7", change: func(o *define.CreateOptions) { o.PasswdEntry = "$USERNAME::$UID:$GID:$NAME:/h" }, passwd: app + "7::7:0:container user:/h\n", home: "/h"},
	} {
		t.Run(c.user, func(t *testing.T) {
			config := define.ContainerConfig{User: c.user, Workdir: "/w", Options: define.CreateOptions{Passwd: true}}
			if c.change != nil {
				c.change(&config.Options)
			}
			got := map[string]string{}
			home, err := writeUser(&config, root, func(inside, content string, _ os.FileMode) error {
				got[inside] = content
				return nil
			})
			if err != nil || home != c.home || got["/etc/passwd"] != c.passwd || got["/etc/group"] != c.group {
				t.Errorf("%q, home %q, %v", got, home, err)
			}
		})
	}
}

// The user that is added to an image's /etc/passwd can be looked up in it.
func TestAddedUserIsFound(t *testing.T) {
	root := t.TempDir()
	c := define.ContainerConfig{User: "1234:99", Workdir: "/w", Options: define.CreateOptions{Passwd: true}}
	_, err := writeUser(&c, root, func(inside, content string, _ os.FileMode) error {
		if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, inside), []byte(content), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := ocispec.LookupUser(root, "1234")
	if err != nil || who.Home != "/w" || who.Gid != 99 {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestHomeOf(t *testing.T) {
	c := define.ContainerConfig{Workdir: "/w"}
	c.Options.Mounts = []define.Mount{{Dest: "/home/me/"}}
	for home, want := range map[string]string{"/home/me": "/home/me", "/home/me/deeper": "/home/me/deeper", "/home": "/w", "/home/mel": "/w", "/": "/w", "": "/w"} {
		if got := homeOf(&c, home); got != want {
			t.Errorf("%s: %s, want %s", home, got, want)
		}
	}
}
