package uplink

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// The words of "hull-net uplink": Loopback opens the host's loopback, and what is behind Guard starts hull-net.
const (
	Loopback = "loopback"
	Guard    = "--"
)

// startBuiltin starts hull-net in its mode of an uplink: hull-net uplink PATH [loopback] [-- COMMAND...], which writes a byte to
// descriptor 3 when it is ready.
func startBuiltin(r Request) (up Running, err error) {
	if r.Program == "" || len(r.Ports) > 0 {
		return up, errors.New("the built-in uplink is for bridges, and of hull-net")
	}
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return up, err
	}
	defer readyR.Close()
	log, err := logFile(r.Dir, "builtin.log")
	if err != nil {
		return up, errors.Join(err, readyW.Close())
	}
	defer log.Close()
	args := []string{"uplink", r.Path}
	if r.Loopback {
		args = append(args, Loopback)
	}
	if len(r.Command) > 0 {
		args = append(append(args, Guard), r.Command...)
	}
	cmd := exec.Command(r.Program, args...) //nolint:noctx // it outlives us
	cmd.ExtraFiles = []*os.File{readyW}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = readyW.Close()
	if err != nil {
		return up, fmt.Errorf("start the built-in uplink: %w", err)
	}
	if err := awaitReady(cmd, readyR, log); err != nil {
		return up, fmt.Errorf("built-in uplink: %w", err)
	}
	up = Running{
		PID: cmd.Process.Pid, Start: netns.StartTime(cmd.Process.Pid), IPs: []string{bridgesGuest}, Host: host(r.Loopback, bridgesGateway),
		Guards: len(r.Command) > 0,
	}
	return up, cmd.Process.Release()
}
