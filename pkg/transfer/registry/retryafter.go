package registry

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.podman.io/image/v5/types"
)

// lastAsked is the last URL that was asked for of a registry.
type lastAsked struct {
	mu  sync.Mutex
	url *url.URL
}

func (l *lastAsked) set(u *url.URL) {
	own := *u
	l.mu.Lock()
	defer l.mu.Unlock()
	l.url = &own
}

func (l *lastAsked) get() *url.URL {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.url
}

// watched is sys, whose registry's URLs are kept for askedFor.
func (j *job) watched(sys *types.SystemContext) *types.SystemContext {
	own := *sys
	own.DockerProxy = func(u *url.URL) (*url.URL, error) {
		if strings.HasPrefix(u.Path, "/v2/") {
			j.asked.set(u)
		}
		return sys.DockerProxy(u)
	}
	return &own
}

// askedFor is how long the registry wants to be left alone, 0 when it does not say. The library reads Retry-After of a 429
// alone and hides it of other answers, so the URL that failed is asked once more: without credentials, and without trust,
// since the answer can at worst delay the next try to maxDelay.
func (j *job) askedFor(ctx context.Context) time.Duration {
	u := j.asked.get()
	if u == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return 0
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // nothing is sent, and no more than a number believed
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	if !overloaded(answer.StatusCode) {
		return 0
	}
	return retryAfter(answer.Header.Get("Retry-After"), time.Now())
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds or a date. What is neither, or over, is 0.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if when, err := http.ParseTime(text); err == nil {
		return max(0, when.Sub(now))
	}
	return 0
}
