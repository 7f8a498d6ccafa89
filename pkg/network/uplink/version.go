package uplink

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// Version is what the program of an uplink says of itself, "" when it does not answer.
func Version(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
