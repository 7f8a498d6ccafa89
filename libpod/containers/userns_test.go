package containers

import (
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/rootless"
)

func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		id, size int
		want     []define.IDRange
	}{
		"in the middle":         {1000, 65537, []define.IDRange{{ContainerID: 0, HostID: 1, Size: 1000}, {ContainerID: 1000, HostID: 0, Size: 1}, {ContainerID: 1001, HostID: 1001, Size: 64536}}},
		"root":                  {0, 10, []define.IDRange{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: 1, Size: 9}}},
		"above all":             {70000, 10, []define.IDRange{{ContainerID: 0, HostID: 1, Size: 9}, {ContainerID: 70000, HostID: 0, Size: 1}}},
		"the last of them":      {9, 10, []define.IDRange{{ContainerID: 0, HostID: 1, Size: 9}, {ContainerID: 9, HostID: 0, Size: 1}}},
		"a user with a single":  {1000, 1, []define.IDRange{{ContainerID: 1000, HostID: 0, Size: 1}}},
		"root with a single id": {0, 1, []define.IDRange{{ContainerID: 0, HostID: 0, Size: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := keep(c.id, c.size); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// Each id of the engine's namespace is in the container once, and the user is at id.
func FuzzKeep(f *testing.F) {
	f.Add(uint16(1000), uint16(65535))
	f.Add(uint16(0), uint16(1))
	f.Fuzz(func(t *testing.T, id, size uint16) {
		if size == 0 {
			return
		}
		total := 0
		var before []define.IDRange
		for _, r := range keep(int(id), int(size)) {
			if r.Size < 1 || overlaps(before, r) || r.HostID+r.Size > int(size) {
				t.Fatalf("%d of %d: %+v after %+v", id, size, r, before)
			}
			if r.ContainerID <= int(id) && int(id) < r.ContainerID+r.Size && r.HostID+int(id)-r.ContainerID != 0 {
				t.Errorf("%d of %d is not the user: %+v", id, size, r)
			}
			total += r.Size
			before = append(before, r)
		}
		if total != int(size) {
			t.Errorf("%d of %d: %d ids are mapped", id, size, total)
		}
	})
}

func TestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		maps []rootless.Mapped
		want int
	}{
		"a user's":       {[]rootless.Mapped{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 1, Outside: 100000, Count: 65536}}, 65537},
		"a gap ends it":  {[]rootless.Mapped{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 2, Outside: 100000, Count: 65536}}, 1},
		"none":           {nil, 0},
		"none from zero": {[]rootless.Mapped{{Inside: 1, Outside: 0, Count: 9}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := end(c.maps); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// fits skips what needs more ids than this process may map: what a user who is not root has is checked against them.
func fits(t *testing.T, ids int) {
	t.Helper()
	if n, err := mapped(); err != nil || rootless.Rootless() && n < ids {
		t.Skipf("the user namespace has %d ids from 0 on, this needs %d (%v)", n, ids, err)
	}
}

func TestParseMaps(t *testing.T) {
	fits(t, 100)
	got, err := parseMaps("--uidmap", []string{"0:1:10", "20:0", "30:@40:5"})
	want := []define.IDRange{{ContainerID: 0, HostID: 1, Size: 10}, {ContainerID: 20, HostID: 0, Size: 1}, {ContainerID: 30, HostID: 40, Size: 5}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for _, c := range []struct{ text, want string }{
		{"", `"" is not CONTAINER_ID:HOST_ID[:SIZE]`},
		{"1", `"1" is not`},
		{"1:2:3:4", `"1:2:3:4" is not`},
		{"a:1:1", `"a:1:1" is not`},
		{"-1:1:1", `"-1:1:1" is not`},
		{"0:1:0", `"0:1:0" is not`},
		{"0:4294967296:1", `"0:4294967296:1" is not`},
		{"0:0:5 4:10:1", `"4:10:1" overlaps`},
		{"0:0:5 10:4:1", `"10:4:1" overlaps`},
	} {
		t.Run("refuses "+c.text, func(t *testing.T) {
			_, err := parseMaps("--uidmap", strings.Split(c.text, " "))
			refused(t, err, c.want)
		})
	}
}

func TestOneMapStandsForBoth(t *testing.T) {
	fits(t, 10)
	for name, o := range map[string]define.CreateOptions{"uid": {UIDMap: []string{"0:0:2"}}, "gid": {GIDMap: []string{"0:0:2"}}} {
		c := &define.ContainerConfig{}
		if err := planMaps(c, &o); err != nil {
			t.Fatal(err)
		}
		want := []define.IDRange{{Size: 2}}
		if !slices.Equal(c.IDMap.UIDs, want) || !slices.Equal(c.IDMap.GIDs, want) || c.IDMap.Keep {
			t.Errorf("%s: %+v", name, c.IDMap)
		}
	}
}

func TestPlanAuto(t *testing.T) {
	fits(t, 10)
	p := &plan{}
	if err := planAuto(p, "size=100,uidmapping=0:1:2,gidmapping=3:4"); err != nil {
		t.Fatal(err)
	}
	if p.auto.Size != 100 || !slices.Equal(p.auto.UIDs, []layers.IDRange{{ContainerID: 0, HostID: 1, Size: 2}}) || !slices.Equal(p.auto.GIDs, []layers.IDRange{{ContainerID: 3, HostID: 4, Size: 1}}) {
		t.Errorf("%+v", p.auto)
	}
	for _, c := range []struct{ text, want string }{
		{"size=x", `option "size=x"`},
		{"size=-1", `option "size=-1"`},
		{"uidmapping=1", `option "uidmapping=1"`},
		{"sise=1", `no option "sise"; did you mean "size"?`},
	} {
		refused(t, planAuto(&plan{}, c.text), c.want)
	}
	if err := planAuto(p, ""); err != nil || p.auto == nil || p.auto.Size != 0 {
		t.Errorf("no options: %+v, %v", p.auto, err)
	}
}

func FuzzParseMaps(f *testing.F) {
	for _, seed := range []string{"0:1:2", "0:0", "@", "::", "2147483647:2147483647:2147483647", "0:0:1 0:1:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseMaps("--uidmap", strings.Split(text, " "))
		if err != nil {
			return
		}
		for i, r := range list {
			if r.Size < 1 || r.ContainerID < 0 || r.HostID < 0 || overlaps(list[:i], r) {
				t.Errorf("%q is %+v", text, list)
			}
		}
	})
}
