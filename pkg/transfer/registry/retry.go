package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/docker/distribution/registry/api/errcode"
	"go.podman.io/image/v5/docker"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer"
)

// firstDelay is the pause before the second try when the user says nothing; it doubles from there.
const firstDelay = 2 * time.Second

// again calls do until it succeeds, fails for good, or has been tried as often as the request says.
func (j *job) again(ctx context.Context, do func() error) error {
	retry, fixed := j.request.Pull.Retry, j.request.Pull.RetryDelay
	if j.request.Op == transfer.OpPush || j.request.Op == transfer.OpArtifactPush {
		retry, fixed = j.request.Push.Retry, j.request.Push.RetryDelay
	}
	delay := fixed
	if delay == 0 {
		delay = firstDelay
	}
	for try := uint(1); ; try++ {
		err := do()
		if err == nil || ctx.Err() != nil || try > retry || !mayPass(err) {
			return err
		}
		j.say(fmt.Sprintf("Failed, retrying in %s ... (%d/%d). Error: %v", delay, try, retry, err))
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if fixed == 0 {
			delay *= 2
		}
	}
}

// mayPass reports whether an error may be gone a moment later: a server that is overloaded or restarts, a connection that
// broke. Nobody at an address, an unknown name or a wrong certificate are as wrong later. The library itself waits for a
// registry that says when to come again (429, Retry-After).
func mayPass(err error) bool {
	if errors.Is(err, docker.ErrTooManyRequests) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return true
	}
	if _, wrong := errors.AsType[*strangerError](err); wrong || isCertificate(err) {
		return false
	}
	if code := status(err); code != 0 {
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
	}
	for _, e := range []error{unix.ECONNREFUSED, unix.ENOSPC, unix.EACCES} {
		if errors.Is(err, e) {
			return false
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return !dns.IsNotFound
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// status is the HTTP status that an error is about, or 0.
func status(err error) int {
	if e, ok := errors.AsType[docker.UnexpectedHTTPStatusError](err); ok {
		return e.StatusCode
	}
	if e, ok := errors.AsType[errcode.Error](err); ok {
		return e.Code.Descriptor().HTTPStatusCode
	}
	if code, ok := errors.AsType[errcode.ErrorCode](err); ok {
		return code.Descriptor().HTTPStatusCode
	}
	if _, ok := errors.AsType[docker.ErrUnauthorizedForCredentials](err); ok {
		return http.StatusUnauthorized
	}
	return 0
}

func isCertificate(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}
