package image

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/transfer"
)

func (f *fake) Save(_ context.Context, refs []string, o images.SaveOptions) error {
	f.asked, f.save = refs, o
	return nil
}

func (f *fake) Push(_ context.Context, ref, destination string, o images.PushOptions) (string, error) {
	f.asked, f.push = []string{ref, destination}, o
	if o.Progress != nil {
		o.Progress(transfer.Progress{Text: "step"})
	}
	return "sha256:d", nil
}

func TestPushFlags(t *testing.T) {
	passphrase := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(passphrase, []byte("let me in\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	out, stderr, err := run(t, f, NewPush, "--creds", "ann:a:b", "--tls-verify=false", "--compression-format", "zstd",
		"--compression-level", "3", "--retry", "1", "--retry-delay", "2s", "--format", "oci",
		"--sign-by-sigstore-private-key", "k", "--sign-passphrase-file", passphrase, "a", "localhost/b")
	if err != nil || out != "" || stderr != "step\n" {
		t.Errorf("%q, %q, %v", out, stderr, err)
	}
	o := f.push
	if o.Access.User != "ann" || o.Access.Password != "a:b" || o.Access.TLSVerify == nil || *o.Access.TLSVerify {
		t.Errorf("access %+v", o.Access)
	}
	if o.Compression != "zstd" || *o.CompressionLevel != 3 || !o.ForceCompression || o.Retry != 1 || o.RetryDelay != 2*time.Second ||
		o.Format != "oci" || string(o.Passphrase) != "let me in" || f.asked[1] != "localhost/b" {
		t.Errorf("%+v, asked %q", o, f.asked)
	}
	_, stderr, err = run(t, f, NewPush, "-q", "a")
	o = f.push
	if err != nil || stderr != "" || o.Access.TLSVerify != nil || o.Compression != "gzip" || o.ForceCompression || o.Retry != 3 || f.asked[1] != "" {
		t.Errorf("%q, %v, %+v", stderr, err, o)
	}
}

func TestPushMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"":                                   "accepts between 1 and 2",
		"a b c":                              "accepts between 1 and 2",
		"--format x a":                       `unknown format "x"`,
		"--compression-format x a":           `cannot find compressor for "x"`,
		"--encrypt-layer 1 a":                "only with --encryption-key",
		"--sign-passphrase-file x a":         "only with --sign-by",
		"--sign-by-sq-fingerprint x a":       "not built yet",
		"--retry-delay x a":                  "not a duration",
		"--authfile /nosuch a":               "no such file",
		"--creds ann a":                      "no terminal",
		"--sign-by-sigstore-private-key x a": "no terminal",
	} {
		if _, _, err := run(t, &fake{}, NewPush, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestSaveFlags(t *testing.T) {
	f := &fake{}
	if _, _, err := run(t, f, NewSave, "-o", "x", "-q", "--format", "oci-dir", "--uncompressed", "-m", "a", "b"); err != nil ||
		!f.save.Multi || !f.save.Uncompressed || f.save.Format != "oci-dir" || f.save.Progress != nil || len(f.asked) != 2 {
		t.Errorf("%+v, %v", f.save, err)
	}
	c := config.Default()
	c.Engine.MultiImageArchive = true
	s, _ := streams.TestTerminal(80)
	d := Deps{Streams: s, Engine: func(context.Context) (Engine, error) { return f, nil }, Config: func() (*config.Config, error) { return c, nil }}
	runOn := func(args ...string) error {
		cmd := NewSave(d)
		cmd.SetArgs(args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		return cmd.ExecuteContext(t.Context())
	}
	if err := runOn("-o", "x", "a"); err != nil || !f.save.Multi {
		t.Errorf("%+v, %v: want what containers.conf says", f.save, err)
	}
	if err := runOn("a"); err == nil || !strings.Contains(err.Error(), "refusing to save to terminal") {
		t.Errorf("to a terminal: %v", err)
	}
	for args, want := range map[string]string{
		"":                           "need at least 1 argument",
		"--format oci-archiv -o x a": `did you mean "oci-archive"`,
		"--compress -o x a":          "--compress can only be set",
		"--format docker-dir -o x a --compress --uncompressed": "cannot both",
		"--format oci-dir a": "--output",
		"-o x:y a":           "invalid filename",
		"a":                  "no file",
	} {
		if _, _, err := run(t, f, NewSave, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func (f *fake) Sign(_ context.Context, refs []string, o images.SignOptions) error {
	f.asked, f.sign = refs, o
	return nil
}

func TestSignFlags(t *testing.T) {
	f := &fake{}
	auth := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(auth, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := run(t, f, NewSign, "-a", "-d", "s", "--sign-by", "ann", "--authfile", auth, "--cert-dir", "c", "x/a", "x/b")
	o := f.sign
	if err != nil || out+stderr != "" || !o.All || o.Directory != "s" || o.Key != "ann" || o.Access.AuthFile != auth ||
		o.Access.CertDir != "c" || o.Access.TLSVerify != nil || strings.Join(f.asked, " ") != "x/a x/b" {
		t.Errorf("%q, %+v, asked %q, %v", stderr, o, f.asked, err)
	}
	for _, args := range [][]string{{"--sign-by", "ann"}, {"--authfile", "nosuch", "a"}} {
		if _, _, err := run(t, f, NewSign, args...); err == nil {
			t.Errorf("%v passes", args)
		}
	}
}
