package container

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/moment"
)

// logsOptions are the flags of "hull logs".
type logsOptions struct {
	pick                 pick
	color, names, stamps bool
	follow               bool
	tail                 int
	since, until         string
	wanted               define.LogsOptions
}

// NewLogs makes "hull logs".
func NewLogs(d Deps) *cobra.Command {
	o := &logsOptions{}
	cmd := &cobra.Command{
		Use: "logs [options] CONTAINER [CONTAINER...]", Short: "Fetch the logs of one or more containers",
		Long: "Prints what containers wrote, to the standard output and to the error output as they did.\n" +
			"With several containers each line begins with the container's id, or with its name when --names is given.",
		Example: "  hull logs web\n  hull logs --follow --tail 10 web\n  hull logs --since 10m --timestamps web\n  hull logs --names web db",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runLogs(cmd.Context(), d, o, args) }
	fs := cmd.Flags()
	fs.BoolVar(&o.color, "color", false, "Output the containers within a log with different colors")
	fs.BoolVarP(&o.follow, "follow", "f", false, "Follow log output")
	o.pick.addLatest(fs)
	fs.BoolVarP(&o.names, "names", "n", false, "Output the container names instead of their ids in the log")
	fs.StringVar(&o.since, "since", "", "Show logs since TIMESTAMP or a duration ago")
	fs.IntVar(&o.tail, "tail", -1, "Output the specified number of LINES at the end of the logs; -1 is all of them")
	fs.BoolVarP(&o.stamps, "timestamps", "t", false, "Output the timestamps in the log")
	fs.StringVar(&o.until, "until", "", "Show logs until TIMESTAMP or a duration from now on")
	return cmd
}

func (o *logsOptions) read(now time.Time) (err error) {
	o.wanted = define.LogsOptions{Tail: o.tail, Follow: o.follow}
	if o.since != "" {
		if o.wanted.Since, err = moment.Parse(o.since, now); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	if o.until != "" {
		if o.wanted.Until, err = containers.ParseUntil(o.until, now); err != nil {
			return fmt.Errorf("--until: %w", err)
		}
	}
	return nil
}

func runLogs(ctx context.Context, d Deps, o *logsOptions, args []string) error {
	if err := o.read(time.Now()); err != nil {
		return err
	}
	e, err := d.Reader(ctx)
	if err != nil {
		return err
	}
	refs, err := o.pick.refs(ctx, e, args, nil)
	if err != nil {
		return err
	}
	printers := make([]*logPrinter, len(refs))
	out := &logOutput{out: bufio.NewWriter(d.Streams.Out), err: d.Streams.Err, each: o.follow}
	for i, ref := range refs {
		c, err := e.Containers.CheckLogs(ctx, ref)
		if err != nil {
			return err
		}
		p := &logPrinter{to: out, stamps: o.stamps, id: c.ID}
		if len(refs) > 1 {
			p.label = c.ID[:12] + " "
			if o.names {
				p.label = c.Name + " "
			}
		}
		if o.color {
			p.color = fmt.Sprintf("\033[%dm", logColors[i%len(logColors)])
		}
		printers[i] = p
	}
	if err := printLogs(ctx, e, o.wanted, printers); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // a signal ended it
		return err
	}
	return out.flush()
}

// printLogs prints one log after the other, or all at once when they are followed.
func printLogs(ctx context.Context, e *libpod.Engine, wanted define.LogsOptions, printers []*logPrinter) error {
	one := func(p *logPrinter) error { return e.Containers.Logs(ctx, p.id, wanted, p.print) }
	if !wanted.Follow {
		for _, p := range printers {
			if err := one(p); err != nil {
				return err
			}
		}
		return nil
	}
	failed := make(chan error, len(printers))
	for _, p := range printers {
		go func() { failed <- one(p) }()
	}
	var first error
	for range printers {
		if err := <-failed; err != nil && first == nil && !errs.IsNotFound(err) { // removed while we looked
			first = err
		}
	}
	return first
}

// logColors are the colors of the containers of one log, as podman has them (ECMA-48 SGR).
var logColors = [...]int{37, 31, 33, 34, 35, 36, 32}

// logTime is the form of --timestamps: RFC 3339 with all nine digits, so that columns align.
const logTime = "2006-01-02T15:04:05.000000000Z07:00"

// logPrinter prints the lines of one container.
type logPrinter struct {
	to     *logOutput
	id     string
	label  string // before each line
	color  string // "" is none
	stamps bool
	inside [2]bool // stdout, stderr: the last piece did not end its line
}

func (p *logPrinter) print(l define.LogLine) error {
	stream := 0
	if l.Stderr {
		stream = 1
	}
	b := append([]byte(nil), p.color...)
	if !p.inside[stream] {
		b = append(b, p.label...)
		if p.stamps {
			b = append(l.Time.AppendFormat(b, logTime), ' ')
		}
	}
	b = append(b, l.Text...)
	if p.color != "" {
		b = append(b, "\033[0m"...)
	}
	if !l.Partial {
		b = append(b, '\n')
	}
	p.inside[stream] = l.Partial
	return p.to.write(b, l.Stderr)
}

// logOutput is where the lines of all containers go, a line at a time and in order.
type logOutput struct {
	mu   sync.Mutex
	out  *bufio.Writer
	err  io.Writer
	each bool // do not keep lines back
}

func (o *logOutput) write(line []byte, stderr bool) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !stderr {
		if _, err = o.out.Write(line); err != nil || !o.each {
			return err
		}
		return o.out.Flush()
	}
	if err := o.out.Flush(); err != nil { // what was written before comes before
		return err
	}
	_, err = o.err.Write(line)
	return err
}

func (o *logOutput) flush() error { return o.out.Flush() }
