package gpg

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// home makes a folder with a key for ann@example.org, whose passphrase it is.
func home(t *testing.T, passphrase string) {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	dir, err := os.MkdirTemp("/tmp", "gpg") //nolint:usetesting // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "gpgconf", "--kill", "gpg-agent").Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("GNUPGHOME", dir)
	cmd := exec.CommandContext(t.Context(), "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-gen-key", "Ann <ann@example.org>", "ed25519", "sign")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func verify(t *testing.T, signed []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "gpg", "--batch", "--decrypt")
	cmd.Stdin = bytes.NewReader(signed)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSign(t *testing.T) {
	home(t, "let me in")
	signed, err := Signer{"ann@example.org", []byte("let me in")}.Sign(t.Context(), []byte("text"))
	if err != nil || verify(t, signed) != "text" {
		t.Errorf("%q, %v", signed, err)
	}
	if _, err := (Signer{"bob@example.org", nil}).Sign(t.Context(), nil); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "bob@example.org") {
		t.Error(err)
	}
	if err := (Signer{"ann@example.org", nil}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (Signer{"bob@example.org", nil}).Check(t.Context()); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	if _, err := (Signer{"--version", nil}).Sign(t.Context(), nil); !errdefs.IsNotFound(err) {
		t.Errorf("a key that looks like an option: %v", err)
	}
}

func TestSignWrongPassphrase(t *testing.T) {
	home(t, "let me in")
	_, err := Signer{"ann@example.org", []byte("let me out")}.Sign(t.Context(), []byte("text"))
	if err == nil || strings.Contains(err.Error(), "let me out") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}

func TestNoGPG(t *testing.T) {
	t.Setenv("PATH", filepath.Join(t.TempDir(), "empty"))
	if _, err := (Signer{"a", nil}).Sign(t.Context(), nil); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "not installed") {
		t.Error(err)
	}
}
