package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
	"golang.org/x/net/publicsuffix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// system is how the library reaches registries: by the files of the user and the machine, with what the request says over
// them.
func system(a transfer.Access) *types.SystemContext {
	sys := &types.SystemContext{
		AuthFilePath: a.AuthFile, DockerCompatAuthFilePath: a.CompatAuthFile, DockerCertPath: a.CertDir, DockerRegistryUserAgent: "hull",
	}
	if a.TLSVerify != nil {
		sys.DockerInsecureSkipTLSVerify = types.NewOptionalBool(!*a.TLSVerify)
		sys.OCIInsecureSkipTLSVerify = !*a.TLSVerify
		sys.DockerDaemonInsecureSkipTLSVerify = !*a.TLSVerify
	}
	if a.User != "" {
		sys.DockerAuthConfig = &types.DockerAuthConfig{Username: a.User, Password: a.Password}
	}
	return sys
}

// system is that for a job on the store.
func (j *job) system(a transfer.Access) *types.SystemContext {
	sys := system(a)
	sys.BigFilesTemporaryDir = j.stage.dir
	sys.BlobInfoCacheDir = filepath.Join(j.store.GraphRoot(), "cache") // as podman has it
	return sys
}

// policy is policy.json, or what is in force without one.
func policy(sys *types.SystemContext) (*signature.PolicyContext, error) {
	p, err := signature.DefaultPolicy(sys)
	if errors.Is(err, configfile.ErrConfigFileNotFound) {
		p, err = signature.NewPolicyFromBytes([]byte(builtInPolicy))
	}
	if err != nil {
		return nil, err
	}
	return signature.NewPolicyContext(p)
}

// accepting is the policy for what needs none: it accepts every image.
func accepting() (*signature.PolicyContext, error) {
	return signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
}

// strangerError is a registry that wants the user's credentials sent elsewhere.
type strangerError struct{ realm, why string }

func (e *strangerError) Error() string {
	return fmt.Sprintf("it asks for the credentials to be sent to %s, %s", e.realm, e.why)
}

// guarded is sys for the registries that one image may come from. A registry says itself where the client is to fetch a
// token for its credentials, and the library sends them there: to any host. Here that host must be of the domain of one
// of the registries, or have an entry in registries.conf, and must not be spoken to in the clear unless that registry is.
//
// The library lets every request pass a function that picks its proxy; one with a user's name in its query ("account")
// is the request that carries the password. An identity token is sent in a body and shows in nothing of the URL, so with
// one each request without a query that asks for nothing of a registry's counts.
func guarded(sys *types.SystemContext, name reference.Named) (*types.SystemContext, error) {
	sources, err := endpoints(sys, name)
	if err != nil {
		return nil, err
	}
	token := false
	for host := range sources {
		found, err := config.GetCredentials(sys, host)
		token = token || err == nil && found.IdentityToken != ""
	}
	own := *sys
	own.DockerProxy = func(u *url.URL) (*url.URL, error) {
		if err := mayBeAsked(sources, u); err != nil {
			return nil, err
		}
		if u.Query().Has("account") || token && u.RawQuery == "" && !strings.HasPrefix(u.Path, "/v2/") {
			if err := mayHaveCredentials(sys, sources, u); err != nil {
				return nil, err
			}
		}
		return http.ProxyFromEnvironment(&http.Request{URL: u})
	}
	return &own, nil
}

// guardedHost is guarded for what is asked of a registry and not of an image.
func guardedHost(sys *types.SystemContext, host string) (*types.SystemContext, error) {
	name, err := reference.ParseNormalizedNamed(host + "/any")
	if err != nil {
		return nil, errs.Invalid("%q is not the name of a registry: %v", host, err)
	}
	return guarded(sys, name)
}

// endpoints are the registries that the image may come from, and whether each may be spoken to in the clear.
func endpoints(sys *types.SystemContext, name reference.Named) (map[string]bool, error) {
	anyway := sys.DockerInsecureSkipTLSVerify == types.OptionalBoolTrue
	found := map[string]bool{reference.Domain(name): anyway}
	entry, err := sysregistriesv2.FindRegistry(sys, name.Name())
	if err != nil || entry == nil {
		return found, err
	}
	sources, err := entry.PullSourcesFromReference(name)
	if err != nil {
		return nil, err
	}
	for _, source := range sources {
		host := reference.Domain(source.Reference)
		found[host] = found[host] || anyway || source.Endpoint.Insecure
	}
	return found, nil
}

func mayHaveCredentials(sys *types.SystemContext, sources map[string]bool, u *url.URL) error {
	err := &strangerError{u.Host, "which is not of the registry's domain"}
	for host, clear := range sources {
		if !sameDomain((&url.URL{Host: host}).Hostname(), u.Hostname()) {
			continue
		}
		if u.Scheme == "https" || clear {
			return nil
		}
		err = &strangerError{u.Scheme + "://" + u.Host, "in the clear"}
	}
	if entry, bad := sysregistriesv2.FindRegistry(sys, u.Host); bad == nil && entry != nil && (u.Scheme == "https" || entry.Insecure) {
		return nil
	}
	return err
}

// insideError is a registry that sends hull where it may not.
type insideError struct{ host, why string }

func (e *insideError) Error() string {
	return fmt.Sprintf("the registry sends hull on to %s, %s", e.host, e.why)
}

// mayBeAsked is an error for a redirect, or a token server, that would have hull ask what only this machine can reach: an
// address of the loopback or the link, where other services listen and clouds answer for a machine's secrets; and for one
// that takes the encryption from a registry that has it.
func mayBeAsked(sources map[string]bool, u *url.URL) error {
	if insecure, ok := sources[u.Host]; ok && !insecure && u.Scheme == "http" {
		return &insideError{u.Host, "in the clear"}
	}
	if !ownAddress(u.Hostname()) {
		return nil
	}
	for host := range sources {
		own := (&url.URL{Host: host}).Hostname()
		if own == u.Hostname() || ownAddress(own) && !linkLocal(u.Hostname()) {
			return nil
		}
	}
	return &insideError{u.Host, "which is an address of this machine's own"}
}

// ownAddress reports whether a host is of the loopback or the link.
func ownAddress(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified()) || linkLocal(host)
}

func linkLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLinkLocalUnicast()
}

// sameDomain reports whether two hosts belong to one owner, as far as names tell: auth.docker.io and registry-1.docker.io.
func sameDomain(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, err1 := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(a))
	y, err2 := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(b))
	return err1 == nil && err2 == nil && x == y
}
