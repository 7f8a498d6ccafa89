package registry

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.podman.io/image/v5/signature/sigstore"

	"hull.dev/hull/pkg/transfer"
)

// notary is a Fulcio that gives certificates to who has the token, and a Rekor that logs what it is sent.
type notary struct {
	*httptest.Server
	t     *testing.T
	ca    *authority
	log   *ecdsa.PrivateKey
	token string
	full  bool // the log takes nothing more
}

func newNotary(t *testing.T) *notary {
	t.Helper()
	n := &notary{t: t, ca: newAuthority(t, nil), log: newKey(t)}
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	n.token = part(object{"alg": "HS256"}) + "." + part(object{"email": "ann@example.org", "email_verified": true, "sub": "1"}) + "." + part("signed")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/signingCert", n.certify)
	mux.HandleFunc("POST /api/v1/log/entries", n.enter)
	n.Server = httptest.NewServer(mux)
	t.Cleanup(n.Close)
	return n
}

// certify answers with a certificate for ten minutes, to who shows the token and that the key is his.
func (n *notary) certify(w http.ResponseWriter, r *http.Request) {
	var q struct {
		PublicKey          struct{ Content []byte }
		SignedEmailAddress []byte
	}
	if r.Header.Get("Authorization") != "Bearer "+n.token {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	parsed, err := x509.ParsePKIXPublicKey(q.PublicKey.Content)
	key, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || !verifies(key, []byte("ann@example.org"), q.SignedEmailAddress) {
		http.Error(w, "that is not your key", http.StatusBadRequest)
		return
	}
	now := time.Now()
	cert := n.ca.signer(n.t, &ecdsa.PrivateKey{PublicKey: *key}, now.Add(-time.Minute), now.Add(9*time.Minute))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(append(cert, certPEM(n.ca.cert)...))
}

// enter logs a signature and answers with the promise that it is logged.
func (n *notary) enter(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if n.full {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"code":400,"message":"the log is full"}`)
		return
	}
	var body json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	said := object{"body": []byte(body), "integratedTime": time.Now().Unix(), "logIndex": 7, "logID": strings.Repeat("ab", 32)}
	text, err := json.Marshal(said)
	if err != nil {
		n.t.Error(err)
	}
	said["verification"] = object{"signedEntryTimestamp": signHash(n.t, n.log, text)}
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(object{strings.Repeat("cd", 32): said}); err != nil {
		n.t.Error(err)
	}
}

// TestPushIsCertifiedAndLogged signs as a file of parameters says, with servers that are there, and lets in what came of it.
func TestPushIsCertifiedAndLogged(t *testing.T) {
	n := newNotary(t)
	keys, err := sigstore.GenerateKeyPair([]byte("let me in"))
	if err != nil {
		t.Fatal(err)
	}
	key := "privateKeyFile: key\nprivateKeyPassphraseFile: passphrase\n"
	fulcio := "fulcio:\n  fulcioURL: " + n.URL + "\n  oidcMode: staticToken\n  oidcIDToken: " + n.token + "\n"
	rekor := "rekorURL: " + n.URL + "\n"
	certified := object{"fulcio": object{"caData": "ca", "oidcIssuer": "https://login.example", "subjectEmail": "ann@example.org"}, "rekorPublicKeyData": "log"}
	logged := object{"keyData": "key", "rekorPublicKeyData": "log"}
	known := map[string][]byte{"ca": certPEM(n.ca.cert), "log": publicPEM(t, n.log), "key": keys.PublicKey, "other": publicPEM(t, newKey(t))}
	for name, c := range map[string]struct {
		parameters string
		wants      object
		name       string // that the policy wants to be signed
		full       bool
		fails      string // of the push
		refuse     string // of the pull
	}{
		"fulcio and rekor":  {parameters: fulcio + rekor, wants: certified},
		"key and rekor":     {parameters: key + rekor, wants: logged},
		"another name":      {parameters: fulcio + rekor, wants: certified, name: "localhost/b", refuse: "localhost/a:1"},
		"another log":       {parameters: key + rekor, wants: object{"keyData": "key", "rekorPublicKeyData": "other"}, refuse: "Rekor SET failed"},
		"not logged":        {parameters: key, wants: logged, refuse: "missing dev.sigstore.cosign/bundle"},
		"certified, no log": {parameters: fulcio, wants: certified, refuse: "missing dev.sigstore.cosign/bundle"},
		"another's token":   {parameters: strings.Replace(fulcio, n.token, n.token+"x", 1), fails: "who are you?"},
		"no token":          {parameters: strings.Replace(fulcio, n.token, "secret", 1), fails: "parsing OIDC token"},
		"the log is full":   {parameters: key + rekor, full: true, fails: "the log is full"},
	} {
		t.Run(name, func(t *testing.T) {
			n.full = c.full
			s := newSigned(t)
			s.write("key", string(keys.PrivateKey))
			s.write("passphrase", "let me in\n")
			loaded, err := s.run(transfer.OpLoad, dockerSave(t, makeTar(t, file{name: "f", data: "data"}), "localhost/a:1"), transfer.Import{})
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(t.TempDir(), "pushed")
			_, err = s.job(transfer.Request{Op: transfer.OpPush, Push: transfer.Push{
				ID: loaded.Images[0].ID, Destination: "dir:" + folder, SignAs: "localhost/a:1", SigstoreParameters: s.write("parameters.yaml", c.parameters),
			}})
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), n.token) || strings.Contains(err.Error(), "\n") {
					t.Errorf("the push: %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s = newSigned(t)
			requirement := s.requirement(c.wants, known)
			if c.name == "" {
				c.name = "localhost/a"
			}
			requirement["signedIdentity"] = object{"type": "exactRepository", "dockerRepository": c.name}
			s.policy("reject", object{"dir": object{folder: []any{requirement}}})
			_, err = s.job(transfer.Request{Op: transfer.OpPull, Pull: transfer.Pull{Reference: "dir:" + folder}})
			s.judge(err, c.refuse)
		})
	}
}

// verifies reports whether the key made the signature of data.
func verifies(key *ecdsa.PublicKey, data, made []byte) bool {
	hash := sha256.Sum256(data)
	return ecdsa.VerifyASN1(key, hash[:], made)
}
