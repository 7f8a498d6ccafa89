package container

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// psOptions are the flags of "hull ps".
type psOptions struct {
	all, latest, noTrunc, noHeading, ns, pod, quiet, size, sync, external bool
	filters                                                               []string
	format, sort                                                          string
	last                                                                  int
	watch                                                                 uint
}

var psSort = []string{"command", "created", "id", "image", "names", "runningfor", "size", "status"}

// NewPs makes "hull ps".
func NewPs(d Deps) *cobra.Command {
	o := &psOptions{}
	cmd := &cobra.Command{
		Use: "ps [options]", Short: "List containers",
		Example: "  hull ps\n  hull ps --all --size\n  hull ps --filter status=exited --format '{{.Names}}: {{.Status}}'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPs(cmd.Context(), d, o) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.all, "all", "a", false, "Show all the containers, default is only running containers")
	fs.BoolVar(&o.external, "external", false, "Show containers in storage not controlled by hull")
	lists.Var(fs, &o.filters, "filter", "f", "Filter output based on conditions given")
	fs.StringVar(&o.format, "format", "", "Pretty-print containers to JSON or using a Go template")
	fs.IntVarP(&o.last, "last", "n", -1, "Print the n last created containers (all states)")
	fs.BoolVarP(&o.latest, "latest", "l", false, "Show the latest container created (all states)")
	fs.BoolVar(&o.noHeading, "noheading", false, "Do not print headers")
	fs.BoolVar(&o.noTrunc, "no-trunc", false, "Display the extended information")
	fs.BoolVar(&o.ns, "ns", false, "Display namespace information")
	fs.BoolVarP(&o.pod, "pod", "p", false, "Print the ID and name of the pod the containers are associated with")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Print the numeric IDs of the containers only")
	fs.BoolVarP(&o.size, "size", "s", false, "Display the total file sizes")
	fs.StringVar(&o.sort, "sort", "created", "Sort output by: "+strings.Join(psSort, ", "))
	fs.BoolVar(&o.sync, "sync", false, "Sync container state with OCI runtime")
	fs.UintVarP(&o.watch, "watch", "w", 0, "Watch the ps output on an interval in seconds")
	return cmd
}

func (o *psOptions) check() error {
	switch {
	case !slices.Contains(psSort, o.sort):
		return errs.Invalid(`invalid argument %q for "--sort" flag%s: %s are there`, o.sort, errs.DidYouMean(o.sort, psSort), strings.Join(psSort, ", "))
	case o.last >= 0 && o.latest:
		return errs.Invalid("last and latest are mutually exclusive")
	case o.quiet && (o.size || o.ns):
		return errs.Invalid("quiet conflicts with size and namespace")
	case o.size && o.ns:
		return errs.Invalid("size and namespace options conflict")
	}
	return nil
}

func runPs(ctx context.Context, d Deps, o *psOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	open := d.Reader
	if o.size || strings.Contains(o.format, ".Size") || o.ns || o.external {
		open = d.Engine // sizes and others' containers are read from the store, namespaces of others' processes from inside
	}
	e, err := open(ctx)
	if err != nil {
		return err
	}
	for {
		if o.watch > 0 {
			_, _ = fmt.Fprint(d.Streams.Out, "\033[2J\033[H") // the list that follows tells of a bad output
		}
		if err := printPs(ctx, d, e, o); err != nil || o.watch == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(o.watch) * time.Second):
		}
	}
}

func printIDs(d Deps, rows []psRow) error {
	for _, r := range rows {
		if _, err := fmt.Fprintln(d.Streams.Out, r.ID()); err != nil {
			return err
		}
	}
	return nil
}

func printPs(ctx context.Context, d Deps, e *libpod.Engine, o *psOptions) error {
	all := o.all || o.latest || o.last >= 0 || slices.ContainsFunc(o.filters, func(f string) bool {
		return strings.HasPrefix(f, "status=") || strings.HasPrefix(f, "exited=")
	})
	read := e.Containers.List
	if o.external {
		read = func(ctx context.Context, all bool) ([]*define.ListedContainer, error) { return listAll(ctx, e, all) }
	}
	list, err := read(ctx, all)
	if err != nil {
		return err
	}
	others := list
	if !all && slices.ContainsFunc(o.filters, func(f string) bool { return strings.HasPrefix(f, "before=") || strings.HasPrefix(f, "since=") }) {
		if others, err = read(ctx, true); err != nil {
			return err
		}
	}
	match, err := containers.Filters(o.filters, others)
	if err != nil {
		return err
	}
	rows := make([]psRow, 0, len(list))
	now := time.Now()
	for _, c := range list {
		if match(c) {
			rows = append(rows, psRow{c: c, o: o, now: now})
		}
	}
	if err := measure(ctx, e, rows, o); err != nil {
		return err
	}
	rows = arrange(rows, o)
	if o.quiet && o.format == "" {
		return printIDs(d, rows)
	}
	if format.IsJSON(o.format) {
		reports := make([]psReport, 0, len(rows))
		for _, r := range rows {
			reports = append(reports, r.report())
		}
		return format.JSON(d.Streams.Out, reports, format.IndentPs)
	}
	return format.List(d.Streams, rows, o.listing())
}

// measure fills in the sizes, where they are shown.
func measure(ctx context.Context, e *libpod.Engine, rows []psRow, o *psOptions) (err error) {
	if !o.size && !strings.Contains(o.format, ".Size") {
		return nil
	}
	for i := range rows {
		if rows[i].rw, rows[i].root, err = e.Layers.Size(ctx, rows[i].c.Config.ID); err != nil && !errs.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// listAll lists the containers of other tools among hull's.
func listAll(ctx context.Context, e *libpod.Engine, all bool) ([]*define.ListedContainer, error) {
	list, err := e.Containers.List(ctx, all)
	if err != nil {
		return nil, err
	}
	others, err := e.Others.List(ctx)
	return containers.ByAge(append(list, others...)), err
}

// arrange sorts rows, which come oldest first, and keeps the last n. What sorts as equal is newest first.
func arrange(rows []psRow, o *psOptions) []psRow {
	slices.Reverse(rows)
	n := o.last
	if o.latest {
		n = 1
	}
	if n >= 0 && n < len(rows) {
		rows = rows[:n]
	}
	if o.sort == "created" {
		slices.Reverse(rows)
		return rows
	}
	slices.SortStableFunc(rows, func(a, b psRow) int {
		switch o.sort {
		case "command":
			return cmp.Compare(strings.Join(a.c.Config.Command, " "), strings.Join(b.c.Config.Command, " "))
		case "id":
			return cmp.Compare(a.c.Config.ID, b.c.Config.ID)
		case "image":
			return cmp.Compare(a.c.Config.ImageName, b.c.Config.ImageName)
		case "names":
			return cmp.Compare(a.c.Config.Name, b.c.Config.Name)
		case "runningfor":
			return a.c.Started.Compare(b.c.Started)
		case "size":
			return cmp.Compare(a.root, b.root)
		case "status":
			return cmp.Compare(a.c.Status, b.c.Status)
		}
		return 0
	})
	return rows
}

func (o *psOptions) listing() format.Listing {
	l := format.Listing{
		Format: o.format, NoHeading: o.noHeading, Fit: []string{"Command", "Image", "Ports"},
		Default: `table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Created}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}`,
		Headers: map[string]string{
			"ID": "CONTAINER ID", "Created": "CREATED", "CreatedHuman": "CREATED", "CGROUPNS": "CGROUPNS", "PIDNS": "PIDNS",
			"CreatedAt": "CREATED AT", "RunningFor": "RUNNING FOR", "ImageID": "IMAGE ID",
		},
	}
	switch {
	case o.ns:
		l.Default = `table {{.ID}}\t{{.Names}}\t{{.Pid}}\t{{.CGROUPNS}}\t{{.IPC}}\t{{.MNT}}\t{{.NET}}\t{{.PIDNS}}\t{{.USERNS}}\t{{.UTS}}`
	case o.pod:
		l.Default += `\t{{.Pod}}\t{{.PodName}}`
		l.Headers["Pod"], l.Headers["PodName"] = "POD ID", "PODNAME"
	}
	if o.size {
		l.Default += `\t{{.Size}}`
	}
	return l
}

// psRow is what templates see.
type psRow struct {
	c        *define.ListedContainer
	o        *psOptions
	now      time.Time
	rw, root int64
}

// ID is the container's id, short unless --no-trunc.
func (r psRow) ID() string {
	if r.o.noTrunc {
		return r.c.Config.ID
	}
	return r.c.Config.ID[:12]
}

// Image is the name of the image.
func (r psRow) Image() string { return r.c.Config.ImageName }

// ImageID is the id of the image.
func (r psRow) ImageID() string {
	if r.o.noTrunc || len(r.c.Config.ImageID) < 12 {
		return r.c.Config.ImageID
	}
	return r.c.Config.ImageID[:12]
}

// Command is what runs in the container, cut unless --no-trunc.
func (r psRow) Command() string {
	text := strings.Join(r.c.Config.CommandOnly, " ")
	if !r.o.noTrunc && len(text) > 17 {
		return text[:17] + "..."
	}
	return text
}

// Created is how long ago the container was made.
func (r psRow) Created() string { return format.Ago(r.c.Config.Created, r.now) }

// CreatedHuman is Created.
func (r psRow) CreatedHuman() string { return r.Created() }

// CreatedAt is when the container was made.
func (r psRow) CreatedAt() string { return r.c.Config.Created.String() }

// RunningFor is how long ago the container was made, as docker has it.
func (r psRow) RunningFor() string { return r.Created() }

// StartedAt is the last start, in seconds since 1970.
func (r psRow) StartedAt() int64 { return r.c.Started.Unix() }

// Exited reports whether the container ran and ended.
func (r psRow) Exited() bool { return r.c.Status == define.StatusExited }

// ExitedAt is when it ended, in seconds since 1970.
func (r psRow) ExitedAt() int64 { return r.c.Exit.At.Unix() }

// ExitCode is that of the last run.
func (r psRow) ExitCode() int { return r.c.Exit.Code }

// State is Status, as podman-ps(1) has it; the one word is in the JSON.
func (r psRow) State() string { return r.Status() }

// Status is the state with its time.
func (r psRow) Status() string {
	switch r.c.Status {
	case define.StatusRunning, define.StatusStopping:
		up := "Up " + format.Duration(r.now.Sub(r.c.Started))
		if r.c.Restarts > 0 {
			up += fmt.Sprintf(" (restarted %d times)", r.c.Restarts)
		}
		return up
	case define.StatusPaused:
		return "Paused"
	case define.StatusRestarting:
		return fmt.Sprintf("Restarting (%d) for the %d. time", r.c.Exit.Code, r.c.Restarts+1)
	case define.StatusExited, define.StatusStopped:
		return fmt.Sprintf("Exited (%d) %s", r.c.Exit.Code, format.Ago(r.c.Exit.At, r.now))
	default:
	}
	s := string(r.c.Status)
	return strings.ToUpper(s[:1]) + s[1:]
}

// Ports are the published ports.
func (r psRow) Ports() string { return containers.PortText(r.c.Config.Ports) }

// Names is the name; docker allows several.
func (r psRow) Names() string { return r.c.Config.Name }

// Pid is the process on the host.
func (r psRow) Pid() int { return r.c.PID }

// Pod is the id of the pod, which there is none of yet.
func (r psRow) Pod() string { return "" }

// PodName is the name of the pod.
func (r psRow) PodName() string { return "" }

// AutoRemove reports whether the container goes with its end.
func (r psRow) AutoRemove() bool { return r.c.Config.Options.Remove }

// Labels are the labels.
func (r psRow) Labels() map[string]string { return r.c.Config.Labels }

// Label is the value of one label.
func (r psRow) Label(name string) string { return r.c.Config.Labels[name] }

// Mounts are the places where volumes are mounted.
func (r psRow) Mounts() []string {
	list := []string{}
	for _, m := range r.c.Config.Options.Mounts {
		if m.Type == "bind" {
			list = append(list, m.Dest)
		}
	}
	for _, v := range r.c.Config.Volumes {
		list = append(list, v.Dest)
	}
	return list
}

// Networks are the names of the networks that it is on, as podman writes a list of words.
func (r psRow) Networks() string { return strings.Join(r.networks(), ",") }

func (r psRow) networks() []string {
	names := make([]string, len(r.c.Config.Joins))
	for i, j := range r.c.Config.Joins {
		names[i] = j.Network
	}
	return names
}

// Restarts is how often the monitor restarted it.
func (r psRow) Restarts() int { return r.c.Restarts }

// Size is what the container wrote, and with its image; "" of another tool's container, which is not measured.
func (r psRow) Size() string {
	if r.c.Status == define.StatusStorage {
		return ""
	}
	return fmt.Sprintf("%s (virtual %s)", format.SizeShort(r.rw), format.SizeShort(r.root))
}

func (r psRow) namespace(kind string) string {
	text, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", r.c.PID, kind))
	if err != nil {
		return ""
	}
	_, text, _ = strings.Cut(text, "[")
	return strings.TrimSuffix(text, "]")
}

// CGROUPNS is the number of the cgroup namespace.
func (r psRow) CGROUPNS() string { return r.namespace("cgroup") }

// IPC is the number of the ipc namespace.
func (r psRow) IPC() string { return r.namespace("ipc") }

// MNT is the number of the mount namespace.
func (r psRow) MNT() string { return r.namespace("mnt") }

// NET is the number of the network namespace.
func (r psRow) NET() string { return r.namespace("net") }

// PIDNS is the number of the pid namespace.
func (r psRow) PIDNS() string { return r.namespace("pid") }

// USERNS is the number of the user namespace.
func (r psRow) USERNS() string { return r.namespace("user") }

// UTS is the number of the uts namespace.
func (r psRow) UTS() string { return r.namespace("uts") }
