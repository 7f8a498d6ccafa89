package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/signature"

	"hull.dev/hull/pkg/errs"
)

// classed is an error of the library with the class that it has here.
type classed struct {
	error
	class error
}

func (c *classed) Unwrap() []error { return []error{c.error, c.class} }

// refused gives an error of policy.json's its class and the way out; another one stays as it is.
func refused(err error) error {
	if _, denied := errors.AsType[signature.PolicyRequirementError](err); !denied && !strings.Contains(err.Error(), "Source image rejected: ") {
		return err // not every refusal has the type
	}
	if strings.Contains(err.Error(), "signedBaseLayer") {
		return errs.WithHint(errdefs.ErrPermissionDenied.WithMessage("policy.json wants the image to be signedBaseLayer, which nothing can find out: no image is let in so"),
			"signedBy and sigstoreSigned ask for signatures: hull image trust set")
	}
	return errs.WithHint(&classed{err, errdefs.ErrPermissionDenied}, "policy.json says which images are accepted: hull image trust show")
}

// explained gives an error of a pull its class and the way out. name is nil for what does not come from a registry.
func explained(err error, name reference.Named) error {
	if _, ours := errors.AsType[*classed](err); ours || errs.Hint(err) != "" {
		return err
	}
	err = withoutQueries(err)
	host, repository := "the registry", "NAME"
	if name != nil {
		host, repository = reference.Domain(name), name.Name()
	}
	text := err.Error()
	code := status(err)
	hint := func(class error, format string, args ...any) error {
		return errs.WithHint(&classed{err, class}, format, args...)
	}
	if stranger, ok := errors.AsType[*strangerError](err); ok {
		// Not with the library's words around it: they tell the token server's whole URL.
		return errs.WithHint(errdefs.ErrPermissionDenied.WithMessage(fmt.Sprintf("%s is not trusted with its credentials: %v", host, stranger)),
			"if it is right, an entry with location = %q in registries.conf allows it", strings.TrimPrefix(stranger.realm, "http://"))
	}
	if inside, ok := errors.AsType[*insideError](err); ok {
		return errdefs.ErrPermissionDenied.WithMessage(fmt.Sprintf("%s is not followed: %v", repository, inside))
	}
	if denied := refused(err); errs.Hint(denied) != "" {
		return denied
	}
	_, dns := errors.AsType[*net.DNSError](err)
	_, op := errors.AsType[*net.OpError](err)
	_, timeout := errors.AsType[*url.Error](err)
	switch {
	case strings.Contains(text, " is blocked in "):
		return hint(errdefs.ErrPermissionDenied, "registries.conf blocks it (blocked = true)")
	case isCertificate(err):
		return hint(errdefs.ErrUnavailable, "--tls-verify=false trusts it blindly; its authority's certificate goes into certs.d/%s/ca.crt or a folder for --cert-dir", host)
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return hint(errdefs.ErrUnavailable, "--tls-verify=false, or insecure = true for %s in registries.conf, talks to it in the clear", host)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return hint(errdefs.ErrPermissionDenied, "hull login %s", host)
	case code == http.StatusTooManyRequests:
		return hint(errdefs.ErrUnavailable, "it wants fewer requests: later, or, where users may ask for more, after hull login %s", host)
	case code == http.StatusNotFound, strings.Contains(text, "manifest unknown"), strings.Contains(text, "name unknown"):
		return hint(errdefs.ErrNotFound, "hull search --list-tags %s shows the tags that there are", repository)
	case dns, op, timeout, code >= http.StatusInternalServerError:
		return hint(errdefs.ErrUnavailable, "check the name of the registry, the network and HTTPS_PROXY")
	case name == nil && strings.Contains(text, "no such file or directory"):
		return &classed{err, errdefs.ErrNotFound}
	}
	return err
}

// query is the query of a URL in an error's words.
var query = regexp.MustCompile(`(https?://[^\s"?]+)\?[^\s"]*`)

// withoutQueries is an error whose words have no queries of URLs: in that of an upload a registry keeps notes to itself, as
// long as a line, and in others' there may be signatures that let anyone in.
func withoutQueries(err error) error {
	text := err.Error()
	if short := query.ReplaceAllString(text, "$1"); short != text {
		return &worded{err, short}
	}
	return err
}

// worded is an error with other words.
type worded struct {
	error
	words string
}

func (w *worded) Error() string { return w.words }
func (w *worded) Unwrap() error { return w.error }
