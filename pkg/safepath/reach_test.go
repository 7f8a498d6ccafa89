package safepath

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReachAddsOneEntryOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Reach(dir, 12345); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o710 { // the group's place shows the mask
		t.Errorf("mode is %o, want 710: others must not pass", got)
	}
}

func TestAllow(t *testing.T) {
	plain, err := parseACL(nil, 0o750)
	if err != nil {
		t.Fatal(err)
	}
	once, changed := plain.allow(7)
	want := acl{{aclOwner, 7, aclNoID}, {aclUser, 1, 7}, {aclGroup, 5, aclNoID}, {aclMask, 5, aclNoID}, {aclOther, 0, aclNoID}}
	if !changed || !slices.Equal(once, want) {
		t.Errorf("first entry: %v, want %v", once, want)
	}
	read, err := parseACL(once.bytes(), 0)
	if err != nil || !slices.Equal(read, once) {
		t.Errorf("written and read: %v, %v, want %v", read, err, once)
	}
	if _, changed := read.allow(7); changed {
		t.Error("an entry that is there is added again")
	}
	if twice, _ := read.allow(3); twice[1].id != 3 || twice[2].id != 7 {
		t.Errorf("entries are not in the order of ids: %v", twice)
	}
	if _, err := parseACL([]byte{1, 0, 0, 0}, 0); err == nil {
		t.Error("a version that is not known is read")
	}
}
