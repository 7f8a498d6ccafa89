package images

import (
	"maps"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/reference"
)

// record makes the engine's record of an image; what takes a look at the whole store (sizes, parent, use) is left out.
func record(img layers.Image, c layers.Config) define.Image {
	out := define.Image{
		ID: img.ID, Names: img.Names, Digest: img.Digest, RepoDigests: repoDigests(img), Created: created(img, c),
		TopLayer: img.TopLayer, ReadOnly: img.ReadOnly, Labels: c.Config.Labels,
	}
	out.Config = define.ImageConfig{
		Author: c.Author, Architecture: c.Architecture, OS: c.OS, Variant: c.Variant, User: c.Config.User,
		Env: c.Config.Env, Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, WorkingDir: c.Config.WorkingDir,
		Volumes: sorted(c.Config.Volumes), ExposedPorts: sorted(c.Config.ExposedPorts), StopSignal: c.Config.StopSignal,
		Layers: c.RootFS.DiffIDs, Comment: comment(c), ManifestType: c.ManifestType,
	}
	for _, h := range c.History {
		step := define.ImageHistory{CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, EmptyLayer: h.EmptyLayer}
		if h.Created != nil {
			step.Created = *h.Created
		}
		out.Config.History = append(out.Config.History, step)
	}
	return out
}

func sorted(set map[string]struct{}) []string { return slices.Sorted(maps.Keys(set)) }

// comment is schema 2's own, or the one of the last step, as podman has it.
func comment(c layers.Config) string {
	if c.Comment == "" && len(c.History) > 0 {
		return c.History[len(c.History)-1].Comment
	}
	return c.Comment
}

// repoDigests are all of the image's repositories with all of its digests, NAME@DIGEST, sorted.
func repoDigests(img layers.Image) []string {
	out := []string{}
	for _, name := range img.Names {
		ref, err := reference.Parse(name)
		if err != nil {
			continue
		}
		for _, d := range img.Digests {
			out = append(out, ref.Name()+"@"+d)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// names are those with a tag.
func tagged(img layers.Image) []string {
	return slices.DeleteFunc(slices.Clone(img.Names), func(n string) bool { return strings.Contains(n, "@") })
}
