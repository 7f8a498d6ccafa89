package manifest

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
)

// entryFlags are what a list says of an image.
type entryFlags struct {
	o           images.ManifestOptions
	annotations []string
}

func (f *entryFlags) add(fs *pflag.FlagSet) {
	e := &f.o.Entry
	lists.Var(fs, &f.annotations, "annotation", "", "set an annotation for the specified image (KEY=VALUE)")
	fs.StringVar(&e.Arch, "arch", "", "override the architecture of the specified image")
	lists.CommaVar(fs, &e.Features, "features", "", "override the features of the specified image")
	fs.StringVar(&e.OS, "os", "", "override the OS of the specified image")
	fs.StringVar(&e.OSVersion, "os-version", "", "override the OS version of the specified image")
	fs.StringVar(&e.Variant, "variant", "", "override the variant of the specified image")
}

// NewAdd makes hull manifest add.
func NewAdd(d Deps) *cobra.Command {
	var f entryFlags
	var access pushing.Access
	var a artifactFlags
	cmd := &cobra.Command{
		Use: "add [options] LIST IMAGEORFILE [IMAGEORFILE...]", Short: "Add images or artifacts to a manifest list or image index",
		Example: "  hull manifest add mylist:v1.11 localhost/mine:arm64\n  hull manifest add --arch arm64 --variant v8 mylist:v1.11 docker://quay.io/me/mine:arm64\n  hull manifest add --artifact --artifact-type application/spdx+json mylist:v1.11 sbom.json",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.o.Annotations, err = pairs(f.annotations); err != nil {
				return err
			}
			if err := a.check(cmd.Flags(), f.o.All); err != nil {
				return err
			}
			if f.o.Access, err = access.Access(cmd.Context(), d.Streams); err != nil {
				return err
			}
			return d.printID(cmd.Context(), func(e Engine) (string, error) {
				if a.artifact {
					return e.ManifestAddArtifact(cmd.Context(), args[0], args[1:], a.o, f.o)
				}
				return e.ManifestAdd(cmd.Context(), args[0], args[1:], f.o)
			})
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	a.add(fs)
	fs.BoolVar(&f.o.All, "all", false, "add all of the list's images if the image is a list")
	access.Add(fs)
	return cmd
}

// artifactFlags say that files are added, and as what.
type artifactFlags struct {
	artifact bool
	o        images.ArtifactOptions
}

func (f *artifactFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.artifact, "artifact", false, "add an artifact made of files, not images")
	fs.StringVar(&f.o.Config, "artifact-config", "", "file with the artifact's configuration")
	fs.StringVar(&f.o.ConfigType, "artifact-config-type", "", "media type of the artifact's configuration")
	fs.BoolVar(&f.o.ExcludeTitles, "artifact-exclude-titles", false, "leave the names of the files out of the artifact")
	fs.StringVar(&f.o.LayerType, "artifact-layer-type", "", "media type of the files; without it, what each looks like")
	fs.StringVar(&f.o.SubjectOf, "artifact-subject", "", "image that the artifact belongs to")
	fs.StringVar(&f.o.Type, "artifact-type", "", "media type of the artifact")
}

// check is an error for flags of the other kind.
func (f *artifactFlags) check(fs *pflag.FlagSet, all bool) (err error) {
	if f.artifact && all {
		return errs.Invalid("--all is about lists of images, and --artifact makes one artifact of files")
	}
	fs.Visit(func(flag *pflag.Flag) {
		if !f.artifact && strings.HasPrefix(flag.Name, "artifact-") {
			err = errs.WithHint(errs.Invalid("--%s is about an artifact, and images are added", flag.Name), "--artifact makes one of files")
		}
	})
	return err
}

// pairs reads KEY=VALUE.
func pairs(list []string) (map[string]string, error) {
	var out map[string]string
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errs.Invalid("no value given for annotation %q: write it KEY=VALUE", text)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out, nil
}
