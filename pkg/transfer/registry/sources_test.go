package registry

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/transfer"
)

// shipped are the files that a distribution would ship.
const shipped = "../../../contrib/containers"

// bare is a machine without any of the files.
func bare(t *testing.T) *types.SystemContext {
	t.Helper()
	empty := t.TempDir()
	t.Setenv("CONTAINERS_REGISTRIES_CONF", "")
	t.Setenv("HOME", empty)
	t.Setenv("XDG_CONFIG_HOME", empty)
	t.Setenv("XDG_CACHE_HOME", empty)
	return &types.SystemContext{RootForImplicitAbsolutePaths: empty, SystemRegistriesConfDirPath: empty, RegistriesDirPath: empty}
}

func TestShippedFilesAreTheDefaults(t *testing.T) {
	policy, err := signature.NewPolicyFromFile(filepath.Join(shipped, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if own, err := signature.NewPolicyFromBytes([]byte(builtInPolicy)); err != nil || !reflect.DeepEqual(policy, own) {
		t.Errorf("policy.json is %+v, the default %+v, %v", policy, own, err)
	}

	sys := &types.SystemContext{SystemRegistriesConfPath: filepath.Join(shipped, "registries.conf"), SystemRegistriesConfDirPath: t.TempDir()}
	conf, err := sysregistriesv2.TryUpdatingCache(sys)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(conf.UnqualifiedSearchRegistries, []string{builtInSearch}) || len(conf.Registries) > 0 {
		t.Errorf("registries.conf searches %q and has the registries %+v", conf.UnqualifiedSearchRegistries, conf.Registries)
	}
	none := bare(t)
	for name, s := range map[string]*types.SystemContext{"shipped": sys, "none": none} {
		if mode, err := sysregistriesv2.GetShortNameMode(s); err != nil || mode != types.ShortNameModePermissive {
			t.Errorf("%s: short-name-mode %v, %v", name, mode, err)
		}
	}

	ref, err := docker.ParseReference("//registry.example/team/x")
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, dir := range []string{filepath.Join(shipped, "registries.d"), none.RegistriesDirPath} {
		u, err := docker.SignatureStorageBaseURL(&types.SystemContext{RegistriesDirPath: dir}, ref, false)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u.String())
	}
	if urls[0] != urls[1] {
		t.Errorf("registries.d/default.yaml has signatures at %s, without it they are at %s", urls[0], urls[1])
	}
}

func TestShippedShortNamesAreTheDefaults(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shipped, "registries.conf.d/shortnames.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var f registryFile
	if err := toml.Unmarshal(data, &f); err != nil || len(f.Aliases) == 0 {
		t.Fatalf("%d aliases, %v", len(f.Aliases), err)
	}
	with := &types.SystemContext{
		SystemRegistriesConfPath: filepath.Join(shipped, "registries.conf"), SystemRegistriesConfDirPath: filepath.Join(shipped, "registries.conf.d"),
	}
	without := bare(t)
	for alias, name := range f.Aliases {
		for state, sys := range map[string]*types.SystemContext{"with the files": with, "without": without} {
			r, err := resolve(sys, alias, "")
			if err != nil || len(r.candidates) != 1 || r.ambiguous || reference.TagNameOnly(r.candidates[0].name).String() != name+":latest" {
				t.Errorf("%s, %s: %+v, %v", alias, state, r, err)
			}
		}
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := write("registries.conf", "unqualified-search-registries = [\"a.example\"]\nshort-name-mode = \"enforcing\"\n"+
		"[[registry]]\nprefix = \"a.example/x\"\nlocation = \"b.example\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"m.example\"\n")
	drop := write("d/10-names.conf", "[aliases]\nx = \"a.example/x\"\ny = \"a.example/y\"\n")
	policy := write("policy.json", `{"default":[{"type":"reject"}]}`)
	t.Setenv("CONTAINERS_POLICY_JSON", policy)
	got := sources(&types.SystemContext{SystemRegistriesConfPath: conf, SystemRegistriesConfDirPath: filepath.Dir(drop)})
	want := &transfer.Sources{
		Policy: transfer.PolicySource{Source: policy, Default: []string{"reject"}},
		Registries: transfer.RegistriesSource{
			Sources: []string{conf, drop}, Search: []string{"a.example"}, SearchSource: conf,
			Entries: map[string]transfer.RegistryEntry{"a.example/x": {
				Prefix: "a.example/x", Location: "b.example", Insecure: true, Mirrors: []transfer.RegistryMirror{{Location: "m.example"}},
			}},
		},
		ShortNames: transfer.ShortNamesSource{Sources: []transfer.AliasSource{{Source: drop, Aliases: 2}}, Mode: "enforcing"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}

	broken := write("broken.conf", "x = [")
	t.Setenv("CONTAINERS_POLICY_JSON", write("broken.json", "{"))
	got = sources(&types.SystemContext{SystemRegistriesConfPath: broken, SystemRegistriesConfDirPath: filepath.Dir(drop)})
	if !strings.Contains(got.Registries.Problem, broken) || !strings.Contains(got.Policy.Problem, "broken.json") {
		t.Errorf("of broken files: %+v", got)
	}
}
