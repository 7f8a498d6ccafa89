// Package imagecopy copies an image from one engine to another: of this user, of another user of this machine, or of
// another host by ssh(1), with the user's keys, agent and ~/.ssh/config. Nothing of it is a daemon's, and no secret is an
// argument: ssh itself asks for what it needs.
//
//	hull save IMAGE ──> Copy ──> ssh HOST hull load        where a host has no hull, its podman does the same
//	ssh HOST hull save IMAGE ──> Copy ──> hull load
//
// An engine takes an archive whole or not at all, so that a copy which breaks leaves nothing. Where Copy is killed, its
// pipes close: what loads finds that the archive ends early, what saves that nobody reads.
package imagecopy

import (
	"net/url"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// Place is whose engine it is. The zero value is that of the user who calls.
type Place struct {
	User string // "": the caller's, or what ssh's configuration says
	Host string // "": this machine
	Port string // "": ssh's
}

// way is how a place is written, for a hint.
const way = "write [USER@]HOST[:PORT]:: before an image, or after it as where it goes"

// Parse splits what a user writes, [[USER@]HOST[:PORT]::]IMAGE, as podman-image-scp(1) has it. A path behind the port,
// where podman has the socket of its service, means nothing here. remote is false where there is no "::".
func Parse(text string) (p Place, image string, remote bool, err error) {
	from := strings.LastIndexByte(text, ']') + 1 // colons of an IPv6 address are in brackets
	at := strings.Index(text[from:], "::")
	if at < 0 {
		return Place{}, text, false, nil
	}
	host, image := text[:from+at], text[from+at+2:]
	if !strings.HasPrefix(host, "ssh://") {
		host = "ssh://" + host
	}
	u, err := url.Parse(host)
	if err != nil || u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") || strings.HasPrefix(u.User.Username(), "-") {
		return Place{}, "", false, errs.WithHint(errs.Invalid("%q names no host", text[:from+at]), way)
	}
	if _, given := u.User.Password(); given {
		return Place{}, "", false, errs.WithHint(errs.Invalid("the place of %q has a password in it, which others could read", image), "ssh asks for it")
	}
	p = Place{User: u.User.Username(), Host: u.Hostname(), Port: u.Port()}
	if p.Host == "localhost" && p.Port == "" { // as podman has it: another user of this machine, without ssh
		p.Host = ""
	}
	return p, image, true, nil
}

// String is the place for messages.
func (p Place) String() string {
	switch {
	case p == Place{}:
		return "this machine"
	case p.Host == "":
		return "user " + p.User
	}
	return p.Host
}
