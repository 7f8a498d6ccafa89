package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/shortnames"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// pull fetches what Request.Pull asks for. Layers that are whole stay in the store also when the job fails: they are what
// their digests say, and the next try goes on from them.
func (j *job) pull(ctx context.Context) (transfer.Result, error) {
	p := &j.request.Pull
	sys := j.system(j.request.Access)
	sys.OSChoice, sys.ArchitectureChoice, sys.VariantChoice = p.OS, p.Arch, p.Variant
	transport, details, ok := cutTransport(p.Reference)
	if !ok {
		return j.pullName(ctx, sys)
	}
	if p.AllTags && transport != docker.Transport.Name() {
		return transfer.Result{}, errs.Invalid("--all-tags is for registries, not for %s:", transport)
	}
	if transport != docker.Transport.Name() {
		return j.pullOther(ctx, sys, transport, details)
	}
	name, err := named(strings.TrimPrefix(details, "//"))
	if err != nil {
		return transfer.Result{}, err
	}
	return j.pullCandidates(ctx, sys, []candidate{{name: name}}, nil)
}

// candidate is a name that a short one may mean.
type candidate struct {
	name   reference.Named
	record func() error // nil: nothing to remember
}

// pullName fetches a name without a transport.
func (j *job) pullName(ctx context.Context, sys *types.SystemContext) (transfer.Result, error) {
	p := &j.request.Pull
	found, err := resolve(sys, p.Reference, p.Chosen)
	if err != nil {
		return transfer.Result{}, err
	}
	if found.ambiguous && p.CanChoose {
		var result transfer.Result
		for _, c := range found.candidates {
			result.Candidates = append(result.Candidates, c.name.String())
		}
		return result, nil
	}
	if found.enforced {
		return transfer.Result{}, errs.WithHint(errs.Invalid("short-name resolution enforced but cannot prompt without a TTY"),
			"write the registry too: %s", found.candidates[0].name)
	}
	if found.why != "" {
		j.say(found.why)
	}
	return j.pullCandidates(ctx, sys, found.candidates, found.joined)
}

// pullCandidates fetches the first of them that there is; joined makes one error of one for each.
func (j *job) pullCandidates(ctx context.Context, sys *types.SystemContext, list []candidate, joined func([]error) error) (transfer.Result, error) {
	var failed []error
	for _, c := range list {
		result, err := j.pullImages(ctx, sys, c.name)
		if err == nil && c.record != nil {
			err = c.record()
		}
		if err == nil || ctx.Err() != nil {
			return result, err
		}
		failed = append(failed, err)
	}
	if len(failed) == 1 || joined == nil {
		return transfer.Result{}, failed[0]
	}
	return transfer.Result{}, &severalError{failed, joined(failed)}
}

// severalError has the words of one and is all of them.
type severalError struct {
	all   []error
	words error
}

func (e *severalError) Error() string   { return e.words.Error() }
func (e *severalError) Unwrap() []error { return e.all }

// pullImages fetches one image by name, or all tags of its repository.
func (j *job) pullImages(ctx context.Context, sys *types.SystemContext, name reference.Named) (transfer.Result, error) {
	sys, err := guarded(sys, name)
	if err != nil {
		return transfer.Result{}, err
	}
	sys = j.watched(sys)
	names := []reference.Named{reference.TagNameOnly(name)}
	if j.request.Pull.AllTags {
		if names, err = j.tags(ctx, sys, name); err != nil {
			return transfer.Result{}, explained(err, name)
		}
	}
	var result transfer.Result
	for _, name := range names {
		src, err := docker.NewReference(name)
		if err != nil {
			return transfer.Result{}, err
		}
		j.say(fmt.Sprintf("Trying to pull %s...", name))
		id, err := j.fetch(ctx, sys, fetch{src: src, name: name})
		if err != nil {
			return transfer.Result{}, explained(err, name)
		}
		result.Images = append(result.Images, transfer.Image{ID: id, Names: []string{name.String()}})
	}
	return result, nil
}

// tags are the names of all tags of a repository.
func (j *job) tags(ctx context.Context, sys *types.SystemContext, name reference.Named) ([]reference.Named, error) {
	repository, err := docker.NewReference(reference.TagNameOnly(reference.TrimNamed(name)))
	if err != nil {
		return nil, err
	}
	var tags []string
	err = j.again(ctx, func() error {
		tags, err = docker.GetRepositoryTags(ctx, sys, repository)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return nil, errs.NotFound("the registry has no tags of %s", reference.TrimNamed(name))
	}
	slices.Sort(tags)
	var all []reference.Named
	for _, tag := range tags {
		full, err := reference.WithTag(reference.TrimNamed(name), tag)
		if err != nil {
			return nil, fmt.Errorf("the registry lists the tag %q: %w", tag, err)
		}
		all = append(all, full)
	}
	return all, nil
}

// named reads a name with a registry; of a tag and a digest together the digest counts.
func named(text string) (reference.Named, error) {
	name, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, errs.Invalid("image name %q: %v", text, err)
	}
	return digestAlone(name)
}

func digestAlone(name reference.Named) (reference.Named, error) {
	digested, ok := name.(reference.Canonical)
	if !ok || reference.IsNameOnly(name) {
		return name, nil
	}
	return reference.WithDigest(reference.TrimNamed(name), digested.Digest())
}

// chosen is the candidate that the user chose for a short name, and remembers it when it was there.
func chosen(sys *types.SystemContext, short, full string) (candidate, error) {
	name, err1 := named(full)
	asked, err2 := reference.Parse(short)
	repository, ok := asked.(reference.Named)
	if err := errors.Join(err1, err2); err != nil || !ok {
		return candidate{}, errors.Join(err, errs.Invalid("image name %q has no repository", short))
	}
	return candidate{name: name, record: func() error {
		return shortnames.Add(sys, reference.TrimNamed(repository).Name(), reference.TrimNamed(name))
	}}, nil
}
