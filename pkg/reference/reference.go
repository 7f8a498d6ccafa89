// Package reference reads and writes the names of images: [DOMAIN/]PATH[:TAG][@DIGEST], by the grammar of
// github.com/distribution/reference. The code is our own because that module, and all that go.podman.io/image hangs on
// it, would be linked into every command for one regular expression; this one is a single pass without any.
//
// A name is short when its first part is not a registry: it has neither a dot nor a port and is not "localhost". What a
// short name means depends on who asks: Normalize completes it as Docker does, Local gives what podman looks for in the
// local store, in its order.
package reference

import (
	"strings"

	"hull.dev/hull/pkg/errs"
)

// Limits of the grammar and of what registries take.
const (
	maxName   = 255 // bytes of DOMAIN/PATH, completed
	maxTag    = 128
	defaultTo = "docker.io"
	library   = "library"
	latest    = "latest"
	localhost = "localhost"
)

// Ref is a parsed name. Path is never empty; the rest may be.
type Ref struct {
	Domain string // host[:port] or [ipv6][:port]; "" when the name is short
	Path   string // lower case, slashes between its parts
	Tag    string
	Digest string // ALGORITHM:HEX
}

// Parse reads s as the user wrote it: nothing is completed, and an error of class ErrInvalidArgument names s and what is
// wrong with it. A name of 64 hexadecimal digits is refused, because it would be read as an image's id.
func Parse(s string) (Ref, error) {
	var r Ref
	if s == "" {
		return r, errs.Invalid("an image name is empty")
	}
	rest, digest, digested := strings.Cut(s, "@")
	if digested {
		if why := digestFault(digest); why != "" {
			return Ref{}, fault(s, why)
		}
		r.Digest = digest
	}
	// A colon after the last slash begins the tag; one before it is a port's.
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && i > strings.LastIndexByte(rest, '/') {
		rest, r.Tag = rest[:i], rest[i+1:]
		if why := tagFault(r.Tag); why != "" {
			return Ref{}, fault(s, why)
		}
	}
	r.Domain, r.Path = split(rest)
	if len(r.docker().Name()) > maxName {
		return Ref{}, fault(s, "the name is longer than 255 characters")
	}
	if why := domainFault(r.Domain); why != "" {
		return Ref{}, fault(s, why)
	}
	if why := pathFault(r.Path); why != "" {
		return Ref{}, fault(s, why)
	}
	if r.Domain == "" && IsID(r.Path) {
		return Ref{}, fault(s, "64 hexadecimal digits are an image id, not a name")
	}
	return r, nil
}

// Normalize reads s and completes it as Docker does: docker.io for a short name, library/ before a single word there,
// index.docker.io as docker.io. A tag is not added.
func Normalize(s string) (Ref, error) {
	r, err := Parse(s)
	if err != nil {
		return Ref{}, err
	}
	return r.docker(), nil
}

// NormalizeLocal reads s as the name of an image that is made on this machine: a short name is completed with
// localhost/, and latest is the tag when there is neither tag nor digest. It is what tag, load and import give.
func NormalizeLocal(s string) (Ref, error) {
	r, err := Parse(s)
	if err != nil {
		return Ref{}, err
	}
	if r.Domain == "" {
		r.Domain = localhost
		return r.Tagged(), nil
	}
	return r.docker().Tagged(), nil
}

// Local returns the names under which r may be in the local store, best first (podman: shortnames.ResolveLocally, then
// docker.io). A name that has tag and digest is looked for by its digest alone, as Docker does.
func (r Ref) Local() []Ref {
	if r.Tag != "" && r.Digest != "" {
		r.Tag = ""
	}
	r = r.Tagged()
	if r.Domain != "" {
		return []Ref{r.docker()}
	}
	here := r
	here.Domain = localhost
	return []Ref{here, r.docker()}
}

// Tagged returns r with the tag latest when it has neither tag nor digest.
func (r Ref) Tagged() Ref {
	if r.Tag == "" && r.Digest == "" {
		r.Tag = latest
	}
	return r
}

// Name is r without tag and digest.
func (r Ref) Name() string {
	if r.Domain == "" {
		return r.Path
	}
	return r.Domain + "/" + r.Path
}

// String is r as it is written; Parse of it gives r again.
func (r Ref) String() string {
	s := r.Name()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Short reports whether the name does not say which registry it is of.
func (r Ref) Short() bool { return r.Domain == "" }

// Matches reports whether r, as the user wrote it, may mean the stored image called full: the same tag or digest, and a
// name that ends in r's at a slash. It is the last resort of podman's look-up: "alpine" finds "quay.io/me/alpine".
func (r Ref) Matches(full Ref) bool {
	r = r.Tagged()
	if r.Tag != full.Tag || r.Digest != full.Digest {
		return false
	}
	name := full.Name()
	return name == r.Name() || strings.HasSuffix(name, "/"+r.Name())
}

// IsID reports whether s has the form of a whole image id.
func IsID(s string) bool { return len(s) == 64 && isHex(s) }

func (r Ref) docker() Ref {
	if r.Domain == "" || r.Domain == "index.docker.io" {
		r.Domain = defaultTo
	}
	if r.Domain == defaultTo && !strings.Contains(r.Path, "/") {
		r.Path = library + "/" + r.Path
	}
	return r
}

// split parts the registry from the path. The first part is a registry when it cannot be anything else: it has a dot, a
// port or a capital letter, or is localhost.
func split(name string) (domain, path string) {
	first, rest, cut := strings.Cut(name, "/")
	if !cut || (first != localhost && !strings.ContainsAny(first, ".:") && strings.ToLower(first) == first) {
		return "", name
	}
	return first, rest
}

func fault(s, why string) error { return errs.Invalid("image name %q: %s", s, why) }
