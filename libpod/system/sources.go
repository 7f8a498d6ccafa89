package system

import (
	"context"

	"hull.dev/hull/libpod/define"
)

// sources are what info says of registries: what registries.conf has, as podman shows it, and which files it comes from.
// What cannot be read is told, and the rest of info with it.
func (s *Service) sources(ctx context.Context) (map[string]any, *define.SourcesInfo) {
	registries := map[string]any{}
	found, err := s.Registries.Sources(ctx)
	if err != nil {
		return registries, &define.SourcesInfo{Problem: err.Error()}
	}
	for prefix, entry := range found.Registries.Entries {
		registries[prefix] = entry
	}
	r := &found.Registries
	if len(r.Search) > 0 {
		registries["search"] = r.Search
	}
	i := &define.SourcesInfo{
		Policy:     define.PolicyInfo(found.Policy),
		Registries: define.RegistriesInfo{Sources: r.Sources, Search: append([]string{}, r.Search...), SearchSource: r.SearchSource, Problem: r.Problem},
		ShortNames: define.ShortNamesInfo{Sources: []define.AliasesInfo{}, Mode: found.ShortNames.Mode},
	}
	for _, a := range found.ShortNames.Sources {
		i.ShortNames.Sources = append(i.ShortNames.Sources, define.AliasesInfo(a))
	}
	return registries, i
}
