package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"time"

	"github.com/docker/distribution/registry/api/errcode"
	"go.podman.io/image/v5/docker"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer"
)

// Pauses before another try.
const (
	firstDelay = 2 * time.Second // when the user says nothing; it doubles from there
	maxDelay   = time.Minute     // also of what a registry asks for
)

// readTries are the tries, after the first, of what only reads, and so takes no --retry: as many as a pull has by default.
const readTries = 3

// tries are the tries of one thing: of a request, or of a blob from where it broke.
type tries struct {
	job   *job
	done  uint          // failed ones
	most  uint          // after the first
	fixed time.Duration // between two; 0: firstDelay, doubled each time
	// asked is the pause that the registry asks for, 0 when it asks for none; nil when nobody can be asked.
	asked func(ctx context.Context) time.Duration
}

// tries begins the tries that the request allows.
func (j *job) tries() *tries {
	t := &tries{job: j, most: readTries, asked: j.askedFor}
	switch j.request.Op {
	case transfer.OpPull, transfer.OpArtifactPull:
		t.most, t.fixed = j.request.Pull.Retry, j.request.Pull.RetryDelay
	case transfer.OpPush, transfer.OpArtifactPush:
		t.most, t.fixed = j.request.Push.Retry, j.request.Push.RetryDelay
	}
	return t
}

// spentError is one that was tried again as often as it may be.
type spentError struct{ error }

func (e *spentError) Unwrap() error { return e.error }

// wait waits before the next try after err. It returns an error, err itself mostly, when there is to be none.
func (t *tries) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil || !mayPass(err) {
		return err
	}
	if t.done++; t.done > t.most {
		return &spentError{err}
	}
	delay := t.fixed
	if delay == 0 {
		delay = min(firstDelay<<(t.done-1), maxDelay)
	}
	if t.asked != nil && overloaded(status(err)) {
		if asked := t.asked(ctx); asked > 0 {
			delay = min(asked, maxDelay)
		}
	}
	t.job.say(fmt.Sprintf("Failed, retrying in %s ... (%d/%d). Error: %v", delay, t.done, t.most, withoutQueries(err)))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// again calls do until it succeeds, fails for good, or has been tried as often as the request says.
func (j *job) again(ctx context.Context, do func() error) error {
	for t := j.tries(); ; {
		err := do()
		if err == nil {
			return nil
		}
		if err := t.wait(ctx, err); err != nil {
			return err
		}
	}
}

// mayPass reports whether an error may be gone a moment later: a server that is overloaded or restarts, a connection that
// broke. Nobody at an address, an unknown name or a wrong certificate are as wrong later. The library itself waits for a
// registry that says when to come again (429, Retry-After), unless it was sending a layer.
func mayPass(err error) bool {
	if _, spent := errors.AsType[*spentError](err); spent {
		return false
	}
	for _, e := range []error{docker.ErrTooManyRequests, io.ErrUnexpectedEOF, io.EOF, errStalled, net.ErrClosed} { // ErrClosed: of crypto/tls, bare
		if errors.Is(err, e) {
			return true
		}
	}
	if _, wrong := errors.AsType[*strangerError](err); wrong || isCertificate(err) {
		return false
	}
	if code := status(err); code != 0 {
		return overloaded(code) || code == http.StatusRequestTimeout
	}
	for _, e := range []error{unix.ECONNREFUSED, unix.ENOENT, unix.ENOSPC, unix.EACCES} { // ENOENT: the socket of docker
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

// overloaded reports whether a registry that answers with this status may do better later, and may say when.
func overloaded(code int) bool {
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
}

// status is the HTTP status that an error is about, or 0.
func status(err error) int {
	if e, ok := errors.AsType[errcode.Error](err); ok {
		return e.Code.Descriptor().HTTPStatusCode
	}
	if code, ok := errors.AsType[errcode.ErrorCode](err); ok {
		return code.Descriptor().HTTPStatusCode
	}
	if _, ok := errors.AsType[docker.ErrUnauthorizedForCredentials](err); ok {
		return http.StatusUnauthorized
	}
	return statusField(err)
}

// statusField is the field StatusCode of an error, or of one that it wraps. The library's error for an answer without a
// body that it knows is of a type that it does not export; its text is no better.
func statusField(err error) int {
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if code := v.FieldByName("StatusCode"); code.IsValid() && code.CanInt() {
			return int(code.Int())
		}
	}
	switch e := err.(type) { //nolint:errorlint // it is what errors.As does
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return statusField(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if code := statusField(inner); code != 0 {
				return code
			}
		}
	}
	return 0
}

func isCertificate(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}
