// Package artifact has the commands of "hull artifact": OCI artifacts, which are files that registries keep beside images.
// Flags, output and exit codes are those of podman 5's man pages.
package artifact

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/cmd/hull/internal/streams"
	service "hull.dev/hull/libpod/artifacts"
	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// Engine is what the commands need done; the service in libpod/artifacts does it.
type Engine interface {
	Add(ctx context.Context, name string, paths []string, o artifacts.AddOptions) (digest.Digest, error)
	List(ctx context.Context) ([]artifacts.Artifact, error)
	Find(ctx context.Context, ref string) (artifacts.Artifact, error)
	Remove(ctx context.Context, refs []string, o artifacts.RemoveOptions) ([]digest.Digest, error)
	Extract(ctx context.Context, ref, target string, o artifacts.ExtractOptions) error
	Pull(ctx context.Context, ref string, o service.PullOptions) (digest.Digest, error)
	Push(ctx context.Context, ref string, o service.PushOptions) (digest.Digest, error)
}

var _ Engine = (*service.Service)(nil)

// Deps is what the commands are made with. Engine is called when a command runs, not for its help.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (Engine, error)
	Config  func() (*config.Config, error)
}

// printDigests prints the digests that an act gives, as podman does, without their algorithm.
func printDigests(out io.Writer, list ...digest.Digest) error {
	for _, d := range list {
		if _, err := fmt.Fprintln(out, d.Encoded()); err != nil {
			return err
		}
	}
	return nil
}

// NewAdd makes hull artifact add.
func NewAdd(d Deps) *cobra.Command {
	var o artifacts.AddOptions
	var annotations []string
	cmd := &cobra.Command{
		Use: "add [options] ARTIFACT PATH [...PATH]", Short: "Add an OCI artifact to the local store",
		Example: "  hull artifact add quay.io/myimage/myartifact:latest /tmp/foobar.txt\n  hull artifact add --file-type text/yaml --append quay.io/myimage/myartifact:latest /tmp/foobar.yaml",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.Append && o.Replace:
				return errs.Invalid("--append and --replace options cannot be used together")
			case o.Append && o.Type != "":
				return errs.Invalid("--append and --type options cannot be used together: the artifact has its type")
			}
			for _, text := range annotations {
				key, value, ok := strings.Cut(text, "=")
				if !ok || key == "" {
					return errs.Invalid("no value given for annotation %q: write it KEY=VALUE", text)
				}
				if o.Annotations == nil {
					o.Annotations = map[string]string{}
				}
				o.Annotations[key] = value
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			made, err := e.Add(cmd.Context(), args[0], args[1:], o)
			if err != nil {
				return err
			}
			return printDigests(d.Streams.Out, made)
		},
	}
	f := cmd.Flags()
	lists.Var(f, &annotations, "annotation", "", "set an annotation for the specified files of artifact (KEY=VALUE)")
	f.BoolVarP(&o.Append, "append", "a", false, "Append files to an existing artifact")
	f.StringVar(&o.FileType, "file-type", "", "Set file type to use for the artifact (layer)")
	f.BoolVar(&o.Replace, "replace", false, "Replace an existing artifact")
	f.StringVar(&o.Type, "type", "", "Use type to describe an artifact")
	return cmd
}

// inspected is an artifact as inspect shows it.
type inspected struct {
	Manifest v1.Manifest
	Name     string
	Digest   digest.Digest
}

// NewInspect makes hull artifact inspect.
func NewInspect(d Deps) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use: "inspect [options] ARTIFACT", Short: "Inspect an OCI artifact",
		Example: "  hull artifact inspect quay.io/myimage/myartifact:latest\n  hull artifact inspect --format '{{.Digest}}' quay.io/myimage/myartifact:latest",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			a, err := e.Find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			shown := inspected{a.Manifest, a.Name, a.Digest}
			if format.IsJSON(layout) {
				return format.JSON(d.Streams.Out, shown, format.IndentInspect)
			}
			return format.Object(d.Streams, shown, layout)
		},
	}
	cmd.Flags().StringVarP(&layout, "format", "f", "json", "Format volume output using JSON or a Go template")
	return cmd
}

// NewRm makes hull artifact rm.
func NewRm(d Deps) *cobra.Command {
	var o artifacts.RemoveOptions
	cmd := &cobra.Command{
		Use: "rm [options] ARTIFACT [ARTIFACT...]", Short: "Remove one or more OCI artifacts",
		Example: "  hull artifact rm quay.io/myimage/myartifact:latest\n  hull artifact rm --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !o.All:
				return errs.WithHint(errs.Invalid("at least one artifact name must be specified"), "hull artifact rm --all removes every artifact")
			case len(args) > 0 && o.All:
				return errs.Invalid("when using the --all switch, you may not pass any artifact names or digests")
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			gone, err := e.Remove(cmd.Context(), args, o)
			if err != nil {
				return err
			}
			return printDigests(d.Streams.Out, gone...)
		},
	}
	cmd.Flags().BoolVarP(&o.All, "all", "a", false, "Remove all artifacts")
	cmd.Flags().BoolVarP(&o.Ignore, "ignore", "i", false, "Ignore error if artifact does not exist")
	return cmd
}

// NewExtract makes hull artifact extract.
func NewExtract(d Deps) *cobra.Command {
	var o artifacts.ExtractOptions
	cmd := &cobra.Command{
		Use: "extract [options] ARTIFACT PATH", Short: "Extract an OCI artifact to a local path",
		Example: "  hull artifact extract quay.io/myimage/myartifact:latest /tmp/foobar.txt\n  hull artifact extract --title foobar.txt quay.io/myimage/myartifact:latest /home/user/dir",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Digest != "" && o.Title != "" {
				return errs.Invalid("--digest and --title options cannot be used together")
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Extract(cmd.Context(), args[0], args[1], o)
		},
	}
	cmd.Flags().StringVar(&o.Digest, "digest", "", "Only extract blob with the given digest")
	cmd.Flags().StringVar(&o.Title, "title", "", "Only extract blob with the given title")
	return cmd
}

// NewPull makes hull artifact pull.
func NewPull(d Deps) *cobra.Command {
	var f pulling.Flags
	var quiet bool
	cmd := &cobra.Command{
		Use: "pull [options] ARTIFACT", Short: "Pull an OCI artifact",
		Example: "  hull artifact pull quay.io/myimage/myartifact:latest",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := d.Config()
			if err != nil {
				return err
			}
			all, err := f.Options(cmd.Context(), d.Streams, c)
			if err != nil {
				return err
			}
			o := service.PullOptions{Pull: all.Pull, Access: all.Access}
			if !quiet {
				o.Progress = pulling.Progress(d.Streams)
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			got, err := e.Pull(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			return printDigests(d.Streams.Out, got)
		},
	}
	f.AddTransfer(cmd.Flags())
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress output information when pulling")
	return cmd
}

// NewPush makes hull artifact push.
func NewPush(d Deps) *cobra.Command {
	var f pushing.Flags
	cmd := &cobra.Command{
		Use: "push [options] ARTIFACT", Short: "Push an OCI artifact",
		Example: "  hull artifact push quay.io/myimage/myartifact:latest",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := d.Config()
			if err != nil {
				return err
			}
			o, err := f.Options(cmd.Context(), "hull artifact push", d.Streams, c)
			if err != nil {
				return err
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			_, err = e.Push(cmd.Context(), args[0], service.PushOptions{Push: o.Push, Access: o.Access, DigestFile: o.DigestFile, Progress: o.Progress})
			return err
		},
	}
	f.Add(cmd.Flags())
	f.AddRetry(cmd.Flags())
	return cmd
}
