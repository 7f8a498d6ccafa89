package system

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/rootless"
)

// NewUnshare makes "hull unshare".
func NewUnshare(d Deps) *cobra.Command {
	var netns bool
	cmd := &cobra.Command{
		Use: "unshare [options] [COMMAND [ARG...]]", Short: "Run a command in a modified user namespace",
		Long: "Runs a command, $SHELL if none is given, in the user and mount namespaces of your containers: you are root there, and\n" +
			"your subordinate ids are ids. $CONTAINERS_GRAPHROOT and $CONTAINERS_RUNROOT say where images and containers are.\n" +
			"With --rootless-netns it runs in the network namespace of your bridge networks too, where containers are reached by their addresses\n" +
			"and the host by host.containers.internal's; their names are not asked for there.\n" +
			"The exit code is the command's; 125 when hull fails, 126 when the command cannot be executed, 127 when there is none.",
		Example: "hull unshare\nhull unshare cat /proc/self/uid_map\nhull unshare chown 1000:1000 shared\nhull unshare --rootless-netns curl http://10.88.0.2",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !rootless.Rootless() {
			return errs.WithHint(errs.Invalid("please use unshare with rootless"), "root is root already: run the command itself")
		}
		e, err := d.Engine(cmd.Context()) // in the namespaces from here on
		if err != nil {
			return err
		}
		if len(args) == 0 {
			args = []string{shell()}
		}
		if netns {
			runtime.LockOSThread() // which executes the command
			if err := e.System.EnterNetworks(cmd.Context()); err != nil {
				return err
			}
		}
		env := append(os.Environ(), "CONTAINERS_GRAPHROOT="+e.Layers.GraphRoot(), "CONTAINERS_RUNROOT="+e.Layers.RunRoot())
		return rootless.Exec(args, env)
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&netns, "rootless-netns", false, "Join the rootless network namespace of bridge networks")
	return cmd
}

func shell() string {
	if path := os.Getenv("SHELL"); path != "" {
		return path
	}
	return "/bin/sh"
}
