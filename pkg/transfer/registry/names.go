package registry

import (
	"errors"
	"fmt"
	"strings"

	"go.podman.io/image/v5/pkg/shortnames"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
	"go.podman.io/storage/pkg/unshare"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// resolution is what a name may mean by registries.conf.
type resolution struct {
	candidates []candidate
	ambiguous  bool   // a user at a terminal is asked
	enforced   bool   // and must be: short-name-mode is enforcing
	why        string // for people; "" when it is obvious
	joined     func([]error) error
}

// resolve finds the full names that a name stands for. chosen, when it is set, is the one that the user picked.
func resolve(sys *types.SystemContext, name, pick string) (*resolution, error) {
	if pick != "" {
		c, err := chosen(sys, name, pick)
		return &resolution{candidates: []candidate{c}}, err
	}
	mode, err := sysregistriesv2.GetShortNameMode(sys)
	if err != nil {
		return nil, err
	}
	// The library would ask at a terminal, which this process does not have, or refuse.
	quiet := *sys
	permissive := types.ShortNameModePermissive
	quiet.ShortNameMode = &permissive
	found, err := shortnames.Resolve(&quiet, name)
	builtIn := builtInSearch + "/" + name
	if !strings.Contains(name, "/") {
		builtIn = builtInSearch + "/library/" + name
	}
	if err != nil && shortnames.IsShortName(name) && !configured(sys) {
		c, err := named(builtIn)
		return &resolution{
			candidates: []candidate{{name: c}}, why: fmt.Sprintf("Resolving %q to %s: there is no registries.conf", name, builtInSearch),
		}, err
	}
	if err != nil {
		if strings.Contains(err.Error(), "did not resolve to an alias") { // the library says that there is no registries.conf, too, where it names none
			err = errs.Invalid("short-name %q did not resolve to an alias, and registries.conf names no registries to search", name)
			return nil, errs.WithHint(err, "write the registry too, %s, or set unqualified-search-registries", builtIn)
		}
		return nil, errs.Invalid("%v", err)
	}
	r := &resolution{why: found.Description(), joined: found.FormatPullErrors}
	for _, c := range found.PullCandidates {
		full, err := digestAlone(c.Value)
		if err != nil {
			return nil, err
		}
		r.candidates = append(r.candidates, candidate{name: full})
	}
	r.ambiguous = len(r.candidates) > 1 && mode != types.ShortNameModeDisabled
	r.enforced = r.ambiguous && mode == types.ShortNameModeEnforcing
	return r, nil
}

// configured reports whether there is a registries.conf; files beside it with aliases alone are none.
func configured(sys *types.SystemContext) bool {
	search := registriesSearch(sys)
	search.DoNotLoadDropInFiles, search.ErrorIfNotFound = true, true
	for _, err := range configfile.Read(search) {
		return !errors.Is(err, configfile.ErrConfigFileNotFound)
	}
	return false
}

// registriesSearch is how go.podman.io/image looks for registries.conf and the files beside it.
func registriesSearch(sys *types.SystemContext) *configfile.File {
	return &configfile.File{
		Name: "registries", Extension: "conf", EnvironmentName: "CONTAINERS_REGISTRIES_CONF", UserId: unshare.GetRootlessUID(),
		RootForImplicitAbsolutePaths: sys.RootForImplicitAbsolutePaths,
		CustomConfigFilePath:         sys.SystemRegistriesConfPath, CustomConfigFileDropInDirectory: sys.SystemRegistriesConfDirPath,
	}
}

// cutTransport splits TRANSPORT:DETAILS; ok is false for a name.
func cutTransport(text string) (transport, details string, ok bool) {
	transport, details, ok = strings.Cut(text, ":")
	return transport, details, ok && transfer.IsTransport(transport)
}
