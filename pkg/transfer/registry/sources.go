package registry

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
	"go.podman.io/storage/pkg/homedir"
	"go.podman.io/storage/pkg/unshare"

	"hull.dev/hull/pkg/transfer"
)

// sources tells which files are in force, and what holds where there is none. It has no error: who asks for it may be
// looking for what is wrong with one of the files.
func sources(sys *types.SystemContext) *transfer.Sources {
	s := &transfer.Sources{Policy: transfer.PolicySource{Source: transfer.BuiltIn}}
	policy, err := readPolicy()
	if err == nil {
		if policy.path != "" {
			s.Policy.Source = policy.path
		}
		var list []requirement
		list, err = requirements(policy.fields["default"])
		for _, r := range list {
			s.Policy.Default = append(s.Policy.Default, r.Type)
		}
	}
	if err != nil {
		s.Policy.Problem = err.Error()
	}
	err = registrySources(sys, s)
	if err == nil {
		err = registryEntries(sys, &s.Registries)
	}
	if err != nil {
		s.Registries.Problem = err.Error()
	}
	mode, err := sysregistriesv2.GetShortNameMode(sys)
	if err == nil {
		s.ShortNames.Mode = map[types.ShortNameMode]string{
			types.ShortNameModeDisabled: "disabled", types.ShortNameModePermissive: "permissive", types.ShortNameModeEnforcing: "enforcing",
		}[mode]
	}
	return s
}

// registryFile is what is asked of a file with regard to where things come from.
type registryFile struct {
	Search  []string          `toml:"unqualified-search-registries"`
	Aliases map[string]string `toml:"aliases"`
}

// registrySources reads registries.conf and the files beside it, and the aliases that a user has chosen at a terminal.
func registrySources(sys *types.SystemContext, s *transfer.Sources) error {
	if !configured(sys) {
		s.Registries.SearchSource = transfer.BuiltIn
	}
	note := func(path string, from io.Reader) error {
		var f registryFile
		if _, err := toml.NewDecoder(from).Decode(&f); err != nil {
			return fmt.Errorf("read %q: %w", path, err)
		}
		if len(f.Search) > 0 {
			s.Registries.SearchSource = path
		}
		if len(f.Aliases) > 0 {
			s.ShortNames.Sources = append(s.ShortNames.Sources, transfer.AliasSource{Source: path, Aliases: len(f.Aliases)})
		}
		return nil
	}
	for item, err := range configfile.Read(registriesSearch(sys)) {
		if err != nil {
			return err
		}
		s.Registries.Sources = append(s.Registries.Sources, item.Name)
		if err := note(item.Name, item.Reader); err != nil {
			return err
		}
	}
	if len(s.Registries.Sources) == 0 {
		s.Registries.Sources = []string{transfer.BuiltIn}
	}
	path, err := chosenAliases()
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return note(path, f)
}

// chosenAliases is the file that the library keeps a user's choices in (containers-registries.conf(5)).
func chosenAliases() (string, error) {
	const name = "containers/short-name-aliases.conf"
	if !unshare.IsRootless() {
		return filepath.Join("/var/cache", name), nil
	}
	cache, err := homedir.GetCacheHome()
	return filepath.Join(cache, name), err
}

func registryEntries(sys *types.SystemContext, r *transfer.RegistriesSource) error {
	var err error
	if r.Search, err = searched(sys); err != nil {
		return err
	}
	list, err := sysregistriesv2.GetRegistries(sys)
	if err != nil {
		return err
	}
	r.Entries = make(map[string]transfer.RegistryEntry, len(list))
	for i := range list {
		have := &list[i]
		e := transfer.RegistryEntry{
			Prefix: have.Prefix, Location: have.Location, Insecure: have.Insecure, PullFromMirror: have.PullFromMirror,
			Blocked: have.Blocked, MirrorByDigestOnly: have.MirrorByDigestOnly,
		}
		for _, m := range have.Mirrors {
			e.Mirrors = append(e.Mirrors, transfer.RegistryMirror{Location: m.Location, Insecure: m.Insecure, PullFromMirror: m.PullFromMirror})
		}
		r.Entries[have.Prefix] = e
	}
	return nil
}
