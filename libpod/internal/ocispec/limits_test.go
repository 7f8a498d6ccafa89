package ocispec

import (
	"math"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
)

func TestParseUlimit(t *testing.T) {
	const no = uint64(math.MaxUint64)
	for text, want := range map[string]specs.POSIXRlimit{
		"nofile=5":          {Type: "RLIMIT_NOFILE", Soft: 5, Hard: 5},
		"nofile=5:6":        {Type: "RLIMIT_NOFILE", Soft: 5, Hard: 6},
		"nofile=5:-1":       {Type: "RLIMIT_NOFILE", Soft: 5, Hard: no},
		"core=-1":           {Type: "RLIMIT_CORE", Soft: no, Hard: no},
		"core=unlimited":    {Type: "RLIMIT_CORE", Soft: no, Hard: no},
		"core=0":            {Type: "RLIMIT_CORE"},
		"NPROC=7":           {Type: "RLIMIT_NPROC", Soft: 7, Hard: 7},
		"RLIMIT_MEMLOCK=64": {Type: "RLIMIT_MEMLOCK", Soft: 64, Hard: 64},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseUlimit(text)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "limit", got, want)
		})
	}
	for _, c := range []struct{ text, want string }{
		{"", `""`},
		{"nofile", `"nofile" is not NAME=SOFT[:HARD]`},
		{"nofile=", "NAME=SOFT[:HARD]"},
		{"nofile=1:", "NAME=SOFT[:HARD]"},
		{"nofile=1:2:3", "NAME=SOFT[:HARD]"},
		{"nofile=-2", "NAME=SOFT[:HARD]"},
		{"nofile=x", "NAME=SOFT[:HARD]"},
		{"nofile=2:1", "the soft limit is over the hard one"},
		{"nofile=-1:5", "the soft limit is over the hard one"},
		{"nofiel=1", `there is no limit "nofiel"; did you mean "nofile"?`},
	} {
		t.Run("refuses "+c.text, func(t *testing.T) {
			_, err := ParseUlimit(c.text)
			refused(t, err, c.want)
		})
	}
}

func TestLimits(t *testing.T) {
	limits := func(s *specs.Spec) map[string]uint64 {
		m := map[string]uint64{}
		for _, l := range s.Process.Rlimits {
			m[l.Type] = l.Soft
		}
		return m
	}
	var files, processes unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &processes); err != nil {
		t.Fatal(err)
	}
	most := func(l unix.Rlimit) uint64 { return min(l.Max, 1048576) }
	t.Run("by default a user gets the most that he may have", func(t *testing.T) {
		equal(t, "limits", limits(with(t, nil)), map[string]uint64{"RLIMIT_NOFILE": most(files), "RLIMIT_NPROC": most(processes)})
	})
	t.Run("the user's wins over the configuration's", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) {
			in.Ulimits, o.Ulimits = []string{"nofile=3", "core=4"}, []string{"nofile=5"}
		})
		equal(t, "limits", limits(s), map[string]uint64{"RLIMIT_NOFILE": 5, "RLIMIT_CORE": 4, "RLIMIT_NPROC": most(processes)})
	})
	t.Run("host sets none", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) { in.Ulimits, o.Ulimits = []string{"core=4"}, []string{"host"} })
		equal(t, "limits", limits(s), map[string]uint64{})
	})
	t.Run("a wrong one is told", func(t *testing.T) {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.Ulimits = []string{"x=1"} })
		refused(t, err, `"x=1"`)
	})
}

func FuzzParseUlimit(f *testing.F) {
	for _, seed := range []string{"nofile=1:2", "core=-1", "=", "nofile=18446744073709551616", "rlimit_rlimit_core=1", "cpu=unlimited:-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseUlimit(text)
		if err == nil && (l.Soft > l.Hard || resources[strings.ToLower(strings.TrimPrefix(l.Type, "RLIMIT_"))] < 0 || !strings.HasPrefix(l.Type, "RLIMIT_")) {
			t.Errorf("%q is %+v", text, l)
		}
	})
}
