package env

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"time"
)

// Trouble is what a proxy does to one exchange; the zero value is none. The body that it is about is the request's when
// that has one, else the answer's.
type Trouble struct {
	Status     int    // the answer, in the registry's place; 0: the registry's
	RetryAfter string // the header of that answer
	Cut        int64  // bytes of the body after which the connection ends; 0: it stays
	Corrupt    int64  // the offset of a byte of the body that becomes another; 0: none does
}

// ProxyOptions say what a proxy is like.
type ProxyOptions struct {
	Registry *Registry                      // what is behind it; spoken to in the clear
	Dir      string                         // for the certificates of TLS
	TLS      bool                           // speaks https, with a certificate of an authority of its own
	Latency  time.Duration                  // of a question and its answer, and once more for a new connection
	Rate     int64                          // bytes in a second and direction, of all connections; 0: as fast as they come
	Trouble  func(r *http.Request) *Trouble // called for each request; nil, as the function itself may be, is none
}

// Proxy stands before a registry and makes trouble. To its clients it is the registry: links of the answers lead to it.
type Proxy struct {
	Registry // Host and Certs are the proxy's; there is no Log

	options  ProxyOptions
	server   *http.Server
	up, down link
}

// StartProxy starts a proxy on a free port of the loopback device. Stop ends it, not the registry.
func StartProxy(o ProxyOptions) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	p := &Proxy{options: o, up: link{rate: o.Rate}, down: link{rate: o.Rate}}
	p.Host = "localhost:" + port
	behind := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: o.Registry.Host})
			r.Out.Host = r.In.Host // the registry makes its links of it
			if o.TLS {
				r.Out.Header.Set("X-Forwarded-Proto", "https")
			}
		},
		ModifyResponse: p.answer,
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the request was cut: so is the connection
		},
	}
	p.server = &http.Server{
		Handler:  p.handler(behind),
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, newConnection{}, &sync.Once{})
		},
	}
	if !o.TLS {
		go func() { _ = p.server.Serve(listener) }() // ends with Stop
		return p, nil
	}
	p.Certs = filepath.Join(o.Dir, "certs")
	if err := makeCertificates(p.Certs, o.Dir); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/1.1: a cut ends a connection
	go func() {
		_ = p.server.ServeTLS(listener, filepath.Join(o.Dir, "server.crt"), filepath.Join(o.Dir, "server.key"))
	}()
	return p, nil
}

// Stop ends the proxy and its connections.
func (p *Proxy) Stop() error { return p.server.Close() }

// newConnection is the key of a sync.Once of a connection, and exchange that of what happens to a request.
type (
	newConnection struct{}
	exchange      struct{}
)

func (p *Proxy) handler(behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		latency := p.options.Latency
		if once, ok := r.Context().Value(newConnection{}).(*sync.Once); ok {
			once.Do(func() { latency *= 2 })
		}
		if latency > 0 {
			wait(r.Context(), time.Now().Add(latency))
		}
		trouble := &Trouble{}
		if p.options.Trouble != nil {
			if t := p.options.Trouble(r); t != nil {
				trouble = t
			}
		}
		if trouble.Status != 0 {
			if trouble.RetryAfter != "" {
				w.Header().Set("Retry-After", trouble.RetryAfter)
			}
			w.WriteHeader(trouble.Status)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), exchange{}, trouble))
		if r.ContentLength != 0 {
			r.Body = &troubled{ReadCloser: r.Body, ctx: r.Context(), link: &p.up, trouble: *trouble}
		}
		behind.ServeHTTP(w, r)
	})
}

// answer puts the answer's body on the slow line, and in the trouble that the request did not have.
func (p *Proxy) answer(r *http.Response) error {
	ctx := r.Request.Context()
	b := &troubled{ReadCloser: r.Body, ctx: ctx, link: &p.down}
	if t, ok := ctx.Value(exchange{}).(*Trouble); ok && r.Request.ContentLength == 0 {
		b.trouble = *t
	}
	r.Body = b
	return nil
}

// troubled is a body on its way through a proxy.
type troubled struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // io.Reader has no place for it
	link    *link
	trouble Trouble
	offset  int64
}

func (b *troubled) Read(p []byte) (int, error) {
	if cut := b.trouble.Cut; cut > 0 {
		if b.offset >= cut {
			return 0, errors.New("the proxy cuts the connection")
		}
		p = p[:min(int64(len(p)), cut-b.offset)]
	}
	n, err := b.ReadCloser.Read(p)
	if at := b.trouble.Corrupt - b.offset; b.trouble.Corrupt > 0 && at >= 0 && at < int64(n) {
		p[at]++
	}
	b.offset += int64(n)
	b.link.pass(b.ctx, n)
	return n, err
}

// link is one direction of a line, which all connections share.
type link struct {
	rate int64 // bytes in a second; 0: without a limit

	mu   sync.Mutex
	free time.Time // when what was sent so far is through
}

// pass returns when n bytes are through, or ctx is over.
func (l *link) pass(ctx context.Context, n int) {
	if l.rate == 0 {
		return
	}
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(int64(n) * int64(time.Second) / l.rate))
	until := l.free
	l.mu.Unlock()
	wait(ctx, until)
}

func wait(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
