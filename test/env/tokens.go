package env

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The names that a registry and its token server know each other by.
const (
	tokenIssuer  = "issuer of a test"
	tokenService = "registry of a test"
)

// TokenServer gives out the bearer tokens of registries (the distribution project's "Token Authentication
// Specification"): who asks without a password may read, the one user may write too.
type TokenServer struct {
	URL       string // http://localhost:PORT/token, or https
	Authority string // the file with the certificate of the authority that vouches for its keys

	options TokenServerOptions
	server  *httptest.Server
	key     tls.Certificate

	mu    sync.Mutex
	asked []string
}

// TokenServerOptions say what token server a test needs.
type TokenServerOptions struct {
	Dir            string // where all of its files go
	User, Password string // the one user
	TLS            bool   // speaks https
}

// StartTokenServer starts a token server. Stop ends it.
func StartTokenServer(o TokenServerOptions) (*TokenServer, error) {
	certs := filepath.Join(o.Dir, "certs")
	if err := makeCertificates(certs, o.Dir); err != nil {
		return nil, err
	}
	key, err := tls.LoadX509KeyPair(filepath.Join(o.Dir, "server.crt"), filepath.Join(o.Dir, "server.key"))
	if err != nil {
		return nil, err
	}
	s := &TokenServer{options: o, key: key, Authority: filepath.Join(certs, "ca.crt")}
	s.server = httptest.NewUnstartedServer(s)
	if o.TLS {
		s.server.TLS = &tls.Config{Certificates: []tls.Certificate{key}, MinVersion: tls.VersionTLS12}
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	s.URL = strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1) + "/token"
	return s, nil
}

// Stop ends the server.
func (s *TokenServer) Stop() { s.server.Close() }

// Asked are the credentials of all requests so far, USER:PASSWORD, and "" of those without.
func (s *TokenServer) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// config is the part of a registry's configuration that sends its clients to realm, which is this server under some name.
func (s *TokenServer) config(realm string) string {
	return fmt.Sprintf("auth:\n  token:\n    realm: %s\n    service: %s\n    issuer: %s\n    rootcertbundle: %s\n", realm, tokenService, tokenIssuer, s.Authority)
}

func (s *TokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, known := r.BasicAuth()
	s.mu.Lock()
	if known {
		s.asked = append(s.asked, user+":"+password)
	} else {
		s.asked = append(s.asked, "")
	}
	s.mu.Unlock()
	if known && (user != s.options.User || password != s.options.Password) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	allowed := []access{}
	for _, scope := range r.URL.Query()["scope"] {
		parts := strings.SplitN(scope, ":", 3)
		if len(parts) != 3 {
			continue
		}
		actions := strings.Split(parts[2], ",")
		if !known {
			actions = slices.DeleteFunc(actions, func(a string) bool { return a != "pull" })
		}
		allowed = append(allowed, access{parts[0], parts[1], actions})
	}
	token, err := s.sign(map[string]any{"sub": user, "access": allowed})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, token)
}

// sign makes a token of the claims (RFC 7519), signed with ES256 (RFC 7518, 3.4).
func (s *TokenServer) sign(claims map[string]any) (string, error) {
	now := time.Now()
	claims["iss"], claims["aud"] = tokenIssuer, tokenService
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Add(-time.Minute).Unix(), now.Add(5*time.Minute).Unix()
	claims["jti"] = rand.Text()
	head, err1 := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(s.key.Certificate[0])}})
	body, err2 := json.Marshal(claims)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	key, ok := s.key.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return "", errors.New("the token server's key is not of ECDSA")
	}
	sum := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	a.FillBytes(signature[:32])
	b.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
