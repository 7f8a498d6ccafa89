package imagecopy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
)

// grace is how long a program may take to end after the other did, or after it was told to.
const grace = 10 * time.Second

// Options is a copy.
type Options struct {
	From, To Place
	Image    string   // name or id at From
	Self     []string // argv of this hull, with its global flags
	Quiet    bool
	Out, Err io.Writer // what the engine that loads says; what both say of their progress
}

// engine is the program that does it on another host, with the words behind it: hull, or else podman.
const engine = `p=podman; command -v hull >/dev/null 2>&1 && p=hull; exec "$p" "$@"`

// Copy copies the image. The error is of class NotFound where there is no ssh, PermissionDenied where root alone may.
func Copy(ctx context.Context, o Options) error {
	save, load := []string{"save"}, []string{"load"}
	if o.Quiet {
		save, load = append(save, "--quiet"), append(load, "--quiet")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	source, err := o.command(ctx, o.From, append(save, "--", o.Image))
	if err != nil {
		return err
	}
	target, err := o.command(ctx, o.To, load)
	if err != nil {
		return err
	}
	said := [2]*lines{{out: o.Err}, {out: o.Err}}
	source.Stderr, target.Stderr, target.Stdout = said[0], said[1], o.Out
	out, err1 := source.StdoutPipe()
	in, err2 := target.StdinPipe()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, cmd := range []*exec.Cmd{source, target} {
		if err := cmd.Start(); err != nil {
			err = fmt.Errorf("start %q: %w", cmd.Path, err)
			if cmd == target {
				cancel(errStopped)
				_ = source.Wait()
			}
			return err
		}
	}
	at, failed := run(source, target, out, in, cancel)
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errStopped) {
		return err
	}
	for i := range said {
		if failed == nil || i != at {
			said[i].flush()
		}
	}
	if failed == nil {
		return nil
	}
	return o.explain(at, failed, said[at].last())
}

// errStopped is why a program is stopped that has nothing to do any more.
var errStopped = errors.New("the other one failed")

// run hands over the archive and waits for both. It returns what was wrong, and with which of them: one that does not
// read to the end makes the other fail too, and what the source does not finish is not given to the target as whole.
func run(source, target *exec.Cmd, out io.ReadCloser, in io.WriteCloser, stop context.CancelCauseFunc) (at int, failed error) {
	_, broken := io.Copy(in, out)
	if broken != nil {
		_ = out.Close()
		failed = target.Wait()
		if failed != nil {
			stop(errStopped)
		}
		_ = source.Wait()
		return 1, failed
	}
	if failed = source.Wait(); failed != nil {
		stop(errStopped)
		_ = target.Wait()
		return 0, failed
	}
	_ = in.Close()
	return 1, target.Wait()
}

// explain is the error of the one that failed, by the last line that it said.
func (o *Options) explain(at int, failed error, last string) error {
	place, act := o.From, fmt.Sprintf("save image %q on %s", o.Image, o.From)
	if at == 1 {
		place, act = o.To, fmt.Sprintf("load image %q on %s", o.Image, o.To)
	}
	cause := strings.TrimPrefix(last, "Error: ")
	if cause == "" {
		cause = failed.Error()
	}
	err := fmt.Errorf("%s: %s", act, cause)
	if e, ok := errors.AsType[*exec.ExitError](failed); ok && e.ExitCode() == failedSSH && place.Host != "" {
		return errs.WithHint(err, "try: ssh %s true", strings.Join(place.arguments(), " "))
	}
	return err
}

// failedSSH is ssh's own exit code; any other is the program's at the other end (ssh(1)).
const failedSSH = 255

// command is hull with these words where the place is.
func (o *Options) command(ctx context.Context, p Place, words []string) (*exec.Cmd, error) {
	argv := append(append([]string{}, o.Self...), words...)
	if p.Host != "" {
		program, err := exec.LookPath("ssh")
		if err != nil {
			return nil, errs.WithHint(errs.NotFound("there is no ssh in PATH"), "Debian has it in the package openssh-client")
		}
		argv = append([]string{program, "-T"}, p.arguments()...)
		argv = append(argv, "exec sh -c "+quote(engine)+" hull "+quoted(words))
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if p.Host == "" && p.User != "" {
		return cmd, o.become(cmd, p.User, words)
	}
	return cmd, nil
}

// arguments are those of ssh for the place; none begins with a dash that is not ours.
func (p Place) arguments() []string {
	var args []string
	if p.Port != "" {
		args = append(args, "-p", p.Port)
	}
	if p.User != "" {
		args = append(args, "-l", p.User)
	}
	return append(args, "--", p.Host)
}

// become has the command run as a user of this machine, as that user's login would: only root can. This hull's global
// flags are the caller's, and not that user's.
func (o *Options) become(cmd *exec.Cmd, name string, words []string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return errs.NotFound("there is no user %q", name)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	ids, err3 := u.GroupIds()
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("look up user %q: %w", name, err)
	}
	if int(uid) == os.Getuid() {
		return nil
	}
	if os.Getuid() != 0 {
		return errs.WithHint(errdefs.ErrPermissionDenied.WithMessage(fmt.Sprintf("the images of user %q are not this user's to reach", name)), "sudo hull image scp …, or the same through ssh: %s@127.0.0.1::", name)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return fmt.Errorf("look up user %q: %w", name, err)
		}
		credential.Groups = append(credential.Groups, uint32(n))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	cmd.Args, cmd.Dir = append([]string{o.Self[0]}, words...), "/"
	cmd.Env = []string{"HOME=" + u.HomeDir, "USER=" + name, "LOGNAME=" + name, "PATH=" + os.Getenv("PATH")}
	if runtime := filepath.Join("/run/user", u.Uid); isDir(runtime) {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+runtime)
	}
	return nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// quote is a word for sh.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quote(w)
	}
	return strings.Join(out, " ")
}

// lines passes whole lines on, but holds the last back, which may be the cause of an error.
type lines struct {
	out  io.Writer
	held []byte
}

// Write takes more of the text.
func (l *lines) Write(p []byte) (int, error) {
	const most = 64 << 10
	l.held = append(l.held, p...)
	end := bytes.LastIndexByte(bytes.TrimRight(l.held, "\n"), '\n') + 1
	if len(l.held)-end > most {
		end = len(l.held)
	}
	_, err := l.out.Write(l.held[:end])
	l.held = append(l.held[:0], l.held[end:]...)
	return len(p), err
}

func (l *lines) last() string { return string(bytes.TrimSpace(l.held)) }

func (l *lines) flush() { _, _ = l.out.Write(l.held) }
