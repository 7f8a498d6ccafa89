package uplink

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// Addresses that pasta gives to bridges; the others have the same.
const bridgesGuest, bridgesGateway = "10.0.2.100", "10.0.2.2"

func startPasta(ctx context.Context, r Request, options string) (Running, error) {
	pidFile := filepath.Join(r.Dir, "pasta.pid")
	args := []string{"--config-net", "--quiet", "--netns", r.Path, "--pid", pidFile}
	if !r.Loopback {
		args = append(args, "--no-map-gw")
	}
	up := Running{}
	if r.Bridges {
		args = append(args, "--address", bridgesGuest, "--netmask", "255.255.255.0", "--gateway", bridgesGateway)
		up.IPs = []string{bridgesGuest}
		up.Host = host(r.Loopback, bridgesGateway)
	}
	if options != "" {
		args = append(args, strings.Split(options, ",")...)
	}
	for _, protocol := range []struct{ name, host, guest string }{{"tcp", "-t", "-T"}, {"udp", "-u", "-U"}} {
		published := false
		for _, p := range r.Ports {
			if p.Protocol == protocol.name {
				args, published = append(args, protocol.host, pastaPort(p)), true
			}
		}
		if !published {
			args = append(args, protocol.host, "none")
		}
		args = append(args, protocol.guest, "none")
	}
	cmd := exec.CommandContext(ctx, "pasta", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Run(); err != nil { // it goes into the background when it is ready
		return Running{}, fmt.Errorf("pasta: %w: %s", err, strings.TrimPrefix(complaint(out.String()), "pasta: "))
	}
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return Running{}, fmt.Errorf("pasta: %w", err)
	}
	up.PID, err = strconv.Atoi(strings.TrimSpace(string(data)))
	up.Start = netns.StartTime(up.PID)
	return up, err
}

// pastaPort is the port in pasta's words: [ADDRESS/]HOST[-HOST]:CONTAINER[-CONTAINER].
func pastaPort(p network.Port) string {
	part := func(first uint16) string {
		if p.Count > 1 {
			return fmt.Sprintf("%d-%d", first, first+p.Count-1)
		}
		return strconv.Itoa(int(first))
	}
	text := part(p.Host) + ":" + part(p.Container)
	if p.HostIP.IsValid() {
		return p.IPText() + "/" + text
	}
	return text
}
