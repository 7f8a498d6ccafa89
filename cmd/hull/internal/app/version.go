package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// Set by the linker: -X hull.dev/hull/cmd/hull/internal/app.version=1.2.3, and so on. Without that, the version is that of
// the next release and the rest is what the go command noted of the repository.
var (
	version = ""
	commit  = "" // full git commit id, with "-dirty" when the tree had changes
	built   = "" // RFC 3339
)

// apiVersion is the level of podman's native REST API whose clients hull's service will understand.
const apiVersion = "5.0.0"

func hullVersion() string {
	if version != "" {
		return version
	}
	return "0.1.0-dev"
}

// versionReport is what podman-version(1) prints; the JSON names are podman's.
type versionReport struct {
	Client *clientVersion `json:",omitempty"`
	Server *clientVersion `json:",omitempty"` // never set: there is no remote service yet
}

// clientVersion describes one program.
type clientVersion struct {
	APIVersion string
	Version    string
	GoVersion  string
	GitCommit  string
	BuiltTime  string // in words, local time
	Built      int64  // seconds since 1970, 0: not known
	OsArch     string
	Os         string
}

// readVersion is what this executable says of itself.
func readVersion() versionReport {
	c := &clientVersion{
		APIVersion: apiVersion,
		Version:    hullVersion(),
		GoVersion:  runtime.Version(),
		GitCommit:  commit,
		OsArch:     runtime.GOOS + "/" + runtime.GOARCH,
		Os:         runtime.GOOS,
	}
	at := built
	if info, ok := debug.ReadBuildInfo(); ok && commit == "" {
		dirty := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				c.GitCommit = s.Value
			case s.Key == "vcs.time" && at == "":
				at = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
		if c.GitCommit != "" {
			c.GitCommit += dirty
		}
	}
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		when = time.Unix(0, 0)
	}
	c.Built, c.BuiltTime = when.Unix(), when.Local().Format(time.ANSIC)
	return versionReport{Client: c}
}

// newVersion is podman-version(1).
func newVersion(d deps) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use:     "version [options]",
		Short:   "Display the hull version information",
		Long:    "Prints the version of hull, of its API, of the Go it was built with, and the commit it was built from.",
		Example: "hull version\nhull version --format '{{.Client.Version}}'\nhull version --format json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errs.Invalid("%s takes no arguments, and not %q", cmd.CommandPath(), args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return printVersion(d.streams, readVersion(), layout) },
	}
	cmd.Flags().StringVarP(&layout, "format", "f", "", "Print as JSON or by a Go template")
	return cmd
}

// printVersion prints podman's table, JSON on one line, or the template of the report or else of its client, since old
// scripts ask for {{.Version}}.
func printVersion(s streams.Streams, v versionReport, layout string) error {
	switch {
	case layout == "":
		return versionTable(s, *v.Client)
	case format.IsJSON(layout):
		return format.JSON(s.Out, v, "")
	}
	err := format.Object(s, v, layout)
	if err != nil && format.Object(s, *v.Client, layout) == nil {
		return nil
	}
	return err
}

func versionTable(s streams.Streams, c clientVersion) error {
	var b strings.Builder
	for _, line := range [][2]string{
		{"Client:", "Hull Engine"},
		{"Version:", c.Version},
		{"API Version:", c.APIVersion},
		{"Go Version:", c.GoVersion},
		{"Git Commit:", c.GitCommit},
		{"Built:", c.BuiltTime},
		{"OS/Arch:", c.OsArch},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%-13s %s\n", line[0], line[1])
		}
	}
	_, err := fmt.Fprint(s.Out, b.String())
	return err
}
