// Command hull-net does the work of networks for one user: bridges, addresses, names, published ports, the way out. hull and
// its monitors start it; see pkg/network/wire for what they say to each other.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/failpoint"
	_ "hull.dev/hull/pkg/lazysysmon" // a tenth more through ports
	"hull.dev/hull/pkg/network/server"
	"hull.dev/hull/pkg/network/uplink"
	"hull.dev/hull/pkg/network/uplink/builtin"
	"hull.dev/hull/pkg/network/wire"
	"hull.dev/hull/pkg/resident"
)

func main() { os.Exit(run()) }

// This process is mostly idle.
const (
	garbage = 50          // how much the heap may grow before it is collected, in percent
	quiet   = time.Second // after which it gives back what it does not need while it waits
)

func run() int {
	debug.SetGCPercent(garbage)
	runtime.MemProfileRate = 0 // nobody asks for a profile of it
	// A monitor starts it with the environment of some command: nothing of that is its business but where programs are.
	keep := append(failpoint.Environ(), "PATH="+os.Getenv("PATH"))
	os.Clearenv()
	for _, entry := range keep {
		name, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(name, value); err != nil {
			return 1
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "uplink" {
		return wayOut(context.Background(), os.Args[2:]) //nolint:forbidigo // here it begins
	}
	var o server.Options
	var port uint
	flag.StringVar(&o.Dir, "dir", "", "folder of its files")
	flag.BoolVar(&o.Root, "root", false, "work in the network namespace of the host")
	flag.StringVar(&o.Uplink, "uplink", "", "the way out: pasta, slirp4netns, builtin")
	flag.StringVar(&o.ResolvConf, "resolv-conf", "/etc/resolv.conf", "where the name servers of the host stand")
	flag.StringVar(&o.Table, "table", "", "name of the nftables tables; hull when it is empty")
	flag.UintVar(&port, "dns-port", 53, "port of the name server in networks")
	flag.Parse()
	o.DNSPort = uint16(port)
	o.Done = resident.After(quiet)
	var err error
	if o.Program, err = os.Executable(); err != nil {
		complain(o.Dir, err)
		return 1
	}
	o.Command = append([]string{o.Program}, os.Args[1:]...)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM) //nolint:forbidigo // here it begins
	defer stop()
	signal.Ignore(unix.SIGINT, unix.SIGHUP)
	if err := server.Run(ctx, o); err != nil {
		complain(o.Dir, err)
		return 1
	}
	return 0
}

// wayOut is "hull-net uplink PATH [loopback] [-- COMMAND...]", which uplink.Start runs: the built-in way out of the namespace at
// PATH, which starts hull-net with the command when that has died.
func wayOut(ctx context.Context, args []string) int {
	if i := slices.Index(args, uplink.Guard); i > 0 {
		guard := wire.Client{Dir: filepath.Dir(args[0]), Command: args[i+1:]}
		go guard.Guard(ctx)
		args = args[:i]
	}
	if err := builtin.Main(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// complain writes why it could not go on where hull reads it.
func complain(dir string, err error) {
	f, openErr := os.OpenFile(filepath.Join(dir, wire.Log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if openErr != nil {
		return
	}
	_, _ = fmt.Fprintln(f, err)
	_ = f.Close()
}
