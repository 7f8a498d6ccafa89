// Package container is the commands on containers, one file per verb or pair of verbs. A command parses, calls one
// engine method per container, and prints.
package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// Deps is what the commands are made with.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (*libpod.Engine, error) // opens on first call; enters the user's namespaces
	Reader  func(context.Context) (*libpod.Engine, error) // the same, outside of the namespaces
}

// alone gives the process one processor, for a command on one container: it does one thing after the other, and the second processor is
// spent on looking for something to do. A tenth of the processor time of run, and as much of 100 at once. Where a network is made
// beside, run takes a millisecond longer so.
func alone() { runtime.GOMAXPROCS(1) }

// pick is how most commands name their containers: arguments, --all, --latest, --filter or --cidfile.
type pick struct {
	all, latest      bool
	filters, cidFile []string
}

func (p *pick) addAll(fs *pflag.FlagSet, text string) { fs.BoolVarP(&p.all, "all", "a", false, text) }

func (p *pick) addLatest(fs *pflag.FlagSet) {
	fs.BoolVarP(&p.latest, "latest", "l", false, "Act on the latest container hull is aware of")
}

func (p *pick) addCIDFile(fs *pflag.FlagSet) {
	lists.Var(fs, &p.cidFile, "cidfile", "", "Read the container ID from the file")
}

func (p *pick) addFilter(fs *pflag.FlagSet, short string) {
	lists.Var(fs, &p.filters, "filter", short, "Filter containers by condition")
}

// check refuses what cannot go together.
func (p *pick) check(args []string) error {
	ways := 0
	for _, used := range []bool{p.all, p.latest, len(args) > 0 || len(p.cidFile) > 0, len(p.filters) > 0 && !p.all} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0 && len(p.filters) == 0:
		return errs.WithHint(errs.Invalid("you must provide at least one name or id"), "hull ps --all lists what there is")
	case ways > 1:
		return errs.Invalid("--all, --latest, --filter and arguments cannot be used together")
	}
	return nil
}

// refs returns what was picked; keep says which of the containers --all means.
func (p *pick) refs(ctx context.Context, e *libpod.Engine, args []string, keep func(*define.ListedContainer) bool) ([]string, error) {
	if err := p.check(args); err != nil {
		return nil, err
	}
	refs := append([]string(nil), args...)
	for _, path := range p.cidFile {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--cidfile: %w", err)
		}
		id, _, _ := strings.Cut(string(data), "\n")
		refs = append(refs, strings.TrimSpace(id))
	}
	if p.latest {
		id, err := e.Containers.Latest(ctx)
		return []string{id}, err
	}
	if !p.all && len(p.filters) == 0 {
		return refs, nil
	}
	list, err := e.Containers.List(ctx, true)
	if err != nil {
		return nil, err
	}
	match, err := containers.Filters(p.filters, list)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if match(c) && (keep == nil || keep(c)) {
			refs = append(refs, c.Config.ID)
		}
	}
	return refs, nil
}

// each calls act for each reference and prints what was given for those that went well, in order.
func each(d Deps, refs []string, act func(ref string) error) error {
	return tell(d, refs, containers.Each(refs, act))
}

// eachOnceFree is each for acts that another may be in the way of: what a state did not allow is tried again for as long as there is less of it.
func eachOnceFree(d Deps, refs []string, act func(ref string) error) error {
	failed := containers.Each(refs, act)
	for before, at := len(refs), refused(failed); len(at) > 0 && len(at) < before; before, at = len(at), refused(failed) {
		batch := make([]string, len(at))
		for i, j := range at {
			batch[i] = refs[j]
		}
		for i, err := range containers.Each(batch, act) {
			failed[at[i]] = err
		}
	}
	return tell(d, refs, failed)
}

// refused are the places of what a state did not allow.
func refused(failed []error) (at []int) {
	for i, err := range failed {
		if errs.IsConflict(err) {
			at = append(at, i)
		}
	}
	return at
}

// tell prints the references whose act went well.
func tell(d Deps, refs []string, failed []error) error {
	for i, ref := range refs {
		if failed[i] == nil {
			_, failed[i] = fmt.Fprintln(d.Streams.Out, ref)
		}
	}
	return errors.Join(failed...)
}

// one is the single container of an argument or --latest.
func (p *pick) one(ctx context.Context, e *libpod.Engine, args []string) (ref string, rest []string, err error) {
	if p.latest {
		ref, err = e.Containers.Latest(ctx)
		return ref, args, err
	}
	if len(args) == 0 {
		return "", nil, errs.Invalid("a container name or id is missing")
	}
	return args[0], args[1:], nil
}

// ownFlags puts the command's flags before a foreign command line: what follows the first argument is not ours.
func ownFlags(cmd *cobra.Command) { cmd.Flags().SetInterspersed(false) }
