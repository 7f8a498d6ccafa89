// Package gpg is the door to gpg(1), for what no library of ours does: signing with the user's keys, which gpg-agent,
// smart cards and the user's own configuration have.
//
// gpg gets what is to be signed on its standard input and a passphrase on descriptor 3; neither is an argument or a file.
package gpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
)

// limit is how long gpg may take: a user may be asked for a passphrase by its agent.
const limit = 5 * time.Minute

// maxSignature bounds what gpg's answer may be, in bytes.
const maxSignature = 1 << 20

// Signer signs with one key.
type Signer struct {
	Key        string // as gpg finds it: a fingerprint, an id, an e-mail address
	Passphrase []byte // of the key; nil: gpg's agent knows it, asks the user, or the key has none
}

// Check reports whether gpg has the key, without using it; its errors are those of Sign.
func (s Signer) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "gpg", "--batch", "--no-tty", "--list-secret-keys", "--", s.Key)
	cmd.Stderr = &said
	return s.failed(ctx, cmd.Run(), said.String())
}

// Sign returns data with its signature, as OpenPGP has them in one (not detached, binary). ErrNotFound when there is no
// gpg or no such key.
func (s Signer) Sign(ctx context.Context, data []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := []string{"--batch", "--no-tty", "--local-user=" + s.Key}
	var passphrase *os.File
	if s.Passphrase != nil {
		args = append(args, "--pinentry-mode=loopback", "--passphrase-fd=3")
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		_, err = w.Write(append(bytes.Clone(s.Passphrase), '\n')) // a line fits a pipe
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, fmt.Errorf("hand over the passphrase: %w", err)
		}
		passphrase = r
	}
	cmd := exec.CommandContext(ctx, "gpg", append(args, "--no-armor", "--sign", "--output=-")...)
	if passphrase != nil {
		cmd.ExtraFiles = []*os.File{passphrase}
	}
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &said
	if err := s.failed(ctx, cmd.Run(), said.String()); err != nil {
		return nil, err
	}
	if out.Len() > maxSignature {
		return nil, fmt.Errorf("sign with the key %q: gpg's answer has %d bytes", s.Key, out.Len())
	}
	return out.Bytes(), nil
}

// failed gives an error of a run its words; nil stays nil.
func (s Signer) failed(ctx context.Context, err error, said string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return errs.WithHint(errs.NotFound("sign with the key %q: gpg is not installed", s.Key), "the package gnupg has it")
	case ctx.Err() != nil:
		return fmt.Errorf("sign with the key %q: %w", s.Key, context.Cause(ctx))
	}
	return s.explain(err, said)
}

// explain makes an error of gpg's last line.
func (s Signer) explain(err error, said string) error {
	line := strings.TrimSpace(said)
	line = strings.TrimPrefix(line[strings.LastIndexByte(line, '\n')+1:], "gpg: ")
	if line == "" {
		line = err.Error()
	}
	if strings.Contains(strings.ToLower(said), "no secret key") {
		return errs.WithHint(errs.NotFound("sign with the key %q: gpg has no such secret key", s.Key), "gpg --list-secret-keys lists those that there are")
	}
	return errs.WithHint(fmt.Errorf("sign with the key %q: %s", s.Key, line), "--sign-passphrase-file names a file with the passphrase")
}
