package registry

import (
	"context"
	"errors"
	"math"
	"strings"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// search finds images or tags. With several registries, one that does not answer is told of and does not keep the others'
// answers back.
func search(ctx context.Context, r transfer.Request, say func(string)) (transfer.Result, error) {
	sys := system(r.Access)
	if r.Search.Tags {
		found, err := tags(ctx, sys, r.Search)
		return transfer.Result{Found: found}, err
	}
	places, words, err := split(sys, r.Search.Term)
	if err != nil {
		return transfer.Result{}, err
	}
	var found []transfer.Found
	var failed []error
	for _, place := range places {
		part, err := searchOne(ctx, sys, place, words, r.Search.Limit)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		found = append(found, part...)
	}
	if len(failed) == len(places) {
		return transfer.Result{}, errors.Join(failed...)
	}
	for _, err := range failed {
		say(err.Error())
	}
	return transfer.Result{Found: found}, nil
}

// split tells the registry of a term from the words to search for there.
func split(sys *types.SystemContext, term string) (places []string, words string, err error) {
	term = strings.TrimPrefix(term, "docker://")
	if host, rest, ok := strings.Cut(term, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return []string{host}, rest, nil
	}
	places, err = searched(sys)
	if err == nil && len(places) == 0 {
		err = errs.WithHint(errs.Invalid("registries.conf names no registry to search"), "name one: hull search REGISTRY/%s", term)
	}
	return places, term, err
}

func searchOne(ctx context.Context, sys *types.SystemContext, place, words string, limit int) ([]transfer.Found, error) {
	sys, err := guardedHost(sys, place)
	if err != nil {
		return nil, err
	}
	list, err := docker.SearchRegistry(ctx, sys, place, words, limit)
	if err != nil {
		return nil, noSearch(err, place)
	}
	found := make([]transfer.Found, 0, len(list))
	for _, hit := range list[:min(limit, len(list))] {
		f := transfer.Found{
			Index: place, Name: hit.Name, Description: hit.Description, Stars: hit.StarCount, Official: hit.IsOfficial, Automated: hit.IsAutomated,
		}
		if place == "docker.io" && f.Official && !strings.Contains(f.Name, "/") {
			f.Name = "library/" + f.Name
		}
		f.Name = place + "/" + strings.TrimPrefix(f.Name, place+"/")
		found = append(found, f)
	}
	return found, nil
}

// noSearch tells why a registry was not searched, with the way out.
func noSearch(err error, place string) error {
	if cause := errors.Unwrap(err); cause != nil { // the library says the same before it
		err = cause
	}
	switch text := err.Error(); {
	case strings.Contains(text, "authentication required"), strings.Contains(text, "unauthorized"):
		err = errs.WithHint(err, "hull login %s", place)
	case !strings.Contains(text, "pinging container registry"):
		err = errs.WithHint(err, "many registries have no search: hull search --list-tags REGISTRY/NAME lists the tags of one image")
	}
	return reachError(err, "search registry %q", place)
}

// tags lists the tags of a repository.
func tags(ctx context.Context, sys *types.SystemContext, s transfer.Search) ([]transfer.Found, error) {
	places, name, err := split(sys, s.Term)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, place := range places {
		ref, err := docker.ParseReference("//" + place + "/" + name)
		if err != nil {
			return nil, errs.Invalid("%q is not the name of a repository: %v", s.Term, err)
		}
		named := ref.DockerReference()
		if strings.Contains(strings.TrimPrefix(name, "/"), ":") || strings.Contains(name, "@") {
			return nil, errs.WithHint(errs.Invalid("%q has a tag or a digest", s.Term), "name the repository alone")
		}
		reach, err := guarded(sys, named)
		if err != nil {
			return nil, err
		}
		list, err := docker.GetRepositoryTags(ctx, reach, ref)
		if err != nil {
			failed = append(failed, reachError(err, "list the tags of %q", named.Name()))
			continue
		}
		found := make([]transfer.Found, 0, len(list))
		for _, tag := range list[:min(orAll(s.Limit), len(list))] {
			found = append(found, transfer.Found{Index: place, Name: named.Name(), Tag: tag})
		}
		return found, nil
	}
	return nil, errors.Join(failed...)
}

// orAll is a limit, where 0 is none.
func orAll(limit int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}
