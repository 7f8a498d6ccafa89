package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/app"
	"hull.dev/hull/cmd/hull/internal/streams"
)

func TestManPage(t *testing.T) {
	root := &cobra.Command{Use: "hull"}
	cmd := &cobra.Command{
		Use: "stop [options] CONTAINER", Short: "Stop containers", Long: "Stops them.\n\n.dot and 'quote' and \\.\n\n  hull stop x",
		Example: "hull stop web\n.x", Aliases: []string{"halt"}, DisableFlagsInUseLine: true, Run: func(*cobra.Command, []string) {},
	}
	cmd.Flags().UintP("time", "t", 10, "Wait `seconds`")
	cmd.Flags().Bool("all", false, "All of them")
	cmd.Flags().Bool("secret", false, "")
	_ = cmd.Flags().MarkHidden("secret")
	root.AddCommand(cmd)
	const want = `.\" Made from the command by make docs. Do not change it here.
.TH HULL\-STOP 1 "" hull "User Commands"
.SH NAME
hull\-stop \- stop containers
.SH SYNOPSIS
\fBhull stop\fR [options] CONTAINER
.PP
\fBhull halt\fR [options] CONTAINER
.SH DESCRIPTION
Stops them.
.PP
\&.dot and 'quote' and \e.
.PP
.nf
  hull stop x
.fi
.SH OPTIONS
.TP
\fB\-\-all\fR
All of them
.TP
\fB\-t\fR, \fB\-\-time\fR=\fIseconds\fR
Wait seconds
The default is 10.
.SH EXAMPLES
.nf
hull stop web
\&.x
.fi
.SH SEE ALSO
.BR hull (1),
.BR containers.conf (5)
`
	if got := ManPages(root)["hull-stop.1"]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPagesAreRoff lets man read every page, when there is one.
func TestPagesAreRoff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff here")
	}
	s, _ := streams.Test()
	for name, text := range ManPages(app.Tree(s)) {
		cmd := exec.CommandContext(t.Context(), groff, "-man", "-ww", "-z", "-Tutf8")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestWriteThenCheck(t *testing.T) {
	s, _ := streams.Test()
	files, err := Files(app.Tree(s))
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	if err := Check(top, files); err == nil || !strings.Contains(err.Error(), "docs/man/hull.1") {
		t.Errorf("nothing there: %v", err)
	}
	old := filepath.Join(top, "docs/man/hull-gone.1")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(top, files); err != nil {
		t.Fatal(err)
	}
	if err := Check(top, files); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a page of a command that is gone is still there")
	}
}
