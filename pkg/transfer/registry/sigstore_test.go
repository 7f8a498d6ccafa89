package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// logged is when the tests' Rekor has logged a signature: long ago, which is what it is for.
var logged = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// oidIssuer is the extension of a certificate that says who knows the user (sigstore/fulcio docs/oid-info.md).
var oidIssuer = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func signHash(t *testing.T, key *ecdsa.PrivateKey, data []byte) []byte {
	t.Helper()
	hash := sha256.Sum256(data)
	made, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// newAuthority makes one, under another or, when that is nil, by itself.
func newAuthority(t *testing.T, above *authority) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority" + fmt.Sprint(above == nil)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: logged.AddDate(-1, 0, 0), NotAfter: logged.AddDate(100, 0, 0),
	}
	if above == nil {
		above = &authority{a.key, template}
	}
	a.cert = above.issue(t, template, a.key)
	return a
}

func (a *authority) issue(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// signer issues a certificate for signing to ann@example.org, whom https://login.example knows, for a while.
func (a *authority) signer(t *testing.T, key *ecdsa.PrivateKey, from, to time.Time) []byte {
	t.Helper()
	return certPEM(a.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: to, EmailAddresses: []string{"ann@example.org"}, DNSNames: []string{"build.example.org"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: oidIssuer, Value: []byte("https://login.example")}},
	}, key))
}

func certPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// logEntry is what a log of signatures keeps of one, with its promise: that it is there, since when.
func logEntry(t *testing.T, log *ecdsa.PrivateKey, keyOrCert, payload, made []byte) string {
	t.Helper()
	hash := sha256.Sum256(payload)
	body, err := json.Marshal(object{
		"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": object{
			"data":      object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(hash[:])}},
			"signature": object{"content": made, "publicKey": object{"content": keyOrCert}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal(object{"body": body, "integratedTime": logged.Unix(), "logIndex": 7, "logID": strings.Repeat("ab", 32)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(object{"SignedEntryTimestamp": signHash(t, log, said), "Payload": json.RawMessage(said)})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// sealed is a signature of sigstore's of the image as name, with more annotations.
type sealed struct {
	key     *ecdsa.PrivateKey
	name    string
	log     *ecdsa.PrivateKey // nil: it is in none
	logs    []byte            // what the log knows the key as
	more    map[string]string // annotations
	ofOther bool              // the log has the signature of something else
}

// attach puts it beside the image.
func (s *signed) attach(t *testing.T, a sealed) {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`,
		a.name, digest.FromBytes(s.manifest))
	made := signHash(t, a.key, payload)
	text, err := json.Marshal(made) // a string in base64
	if err != nil {
		t.Fatal(err)
	}
	annotations := map[string]string{"dev.cosignproject.cosign/signature": strings.Trim(string(text), `"`)}
	maps.Copy(annotations, a.more)
	if a.log != nil {
		if a.ofOther {
			made = signHash(t, a.key, []byte("other"))
		}
		annotations["dev.sigstore.cosign/bundle"] = logEntry(t, a.log, a.logs, payload, made)
	}
	config := []byte("{}")
	manifest, err := json.Marshal(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": object{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.FromBytes(config), "size": len(config)},
		"layers": []any{object{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": digest.FromBytes(payload), "size": len(payload), "annotations": annotations}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.attached["/v2/x/manifests/sha256-"+digest.FromBytes(s.manifest).Encoded()+".sig"] = manifest
	s.attached["/v2/x/blobs/"+digest.FromBytes(payload).String()] = payload
}

// sigstoreCase is a signature, what policy.json wants (words in it are keys and certificates), and what comes of it.
type sigstoreCase struct {
	sealed sealed
	wants  object
	refuse string
}

func (s *signed) try(t *testing.T, c sigstoreCase, known map[string][]byte) {
	t.Helper()
	if c.sealed.key != nil {
		if c.sealed.name == "" {
			c.sealed.name = s.name()
		}
		s.attach(t, c.sealed)
	}
	s.want(s.name(), c.refuse, s.requirement(c.wants, known))
}

// requirement is what policy.json wants, in its words.
func (s *signed) requirement(wants object, known map[string][]byte) object {
	s.t.Helper()
	requirement := object{"type": "sigstoreSigned"}
	for field, value := range wants {
		if inner, ok := value.(object); ok {
			own := object{}
			for field, value := range inner {
				own[field] = s.keys(field, value, known)
			}
			requirement[field] = own
			continue
		}
		requirement[field] = s.keys(field, value, known)
	}
	return requirement
}

func TestPolicySigstoreKeys(t *testing.T) {
	ann, bob, log := newKey(t), newKey(t), newKey(t)
	known := map[string][]byte{"ann": publicPEM(t, ann), "bob": publicPEM(t, bob), "log": publicPEM(t, log)}
	by := sealed{key: ann, log: log, logs: known["ann"]}
	byOther := object{"type": "exactRepository", "dockerRepository": "example.org/a"}
	for name, c := range map[string]sigstoreCase{
		"nobody signed":         {wants: object{"keyPath": "ann"}, refuse: "A signature was required, but no signature exists"},
		"keyPath":               {sealed: sealed{key: ann}, wants: object{"keyPath": "ann"}},
		"keyPath of another":    {sealed: sealed{key: bob}, wants: object{"keyPath": "ann"}, refuse: "cryptographic signature verification failed"},
		"keyPaths":              {sealed: sealed{key: ann}, wants: object{"keyPaths": []string{"bob", "ann"}}},
		"keyPaths of another":   {sealed: sealed{key: ann}, wants: object{"keyPaths": []string{"bob"}}, refuse: "verification failed"},
		"keyData":               {sealed: sealed{key: ann}, wants: object{"keyData": "ann"}},
		"keyData of another":    {sealed: sealed{key: ann}, wants: object{"keyData": "bob"}, refuse: "verification failed"},
		"keyDatas":              {sealed: sealed{key: ann}, wants: object{"keyDatas": []string{"bob", "ann"}}},
		"keyDatas of another":   {sealed: sealed{key: ann}, wants: object{"keyDatas": []string{"bob"}}, refuse: "verification failed"},
		"another name":          {sealed: sealed{key: ann, name: "example.org/a:1"}, wants: object{"keyData": "ann"}, refuse: "example.org/a:1"},
		"the name that counts":  {sealed: sealed{key: ann, name: "example.org/a:1"}, wants: object{"keyData": "ann", "signedIdentity": byOther}},
		"not that name":         {sealed: sealed{key: ann}, wants: object{"keyData": "ann", "signedIdentity": byOther}, refuse: "x:1"},
		"rekorPublicKeyPath":    {sealed: by, wants: object{"keyPath": "ann", "rekorPublicKeyPath": "log"}},
		"rekorPublicKeyData":    {sealed: by, wants: object{"keyData": "ann", "rekorPublicKeyData": "log"}},
		"rekorPublicKeyPaths":   {sealed: by, wants: object{"keyData": "ann", "rekorPublicKeyPaths": []string{"bob", "log"}}},
		"rekorPublicKeyDatas":   {sealed: by, wants: object{"keyData": "ann", "rekorPublicKeyDatas": []string{"bob", "log"}}},
		"in no log":             {sealed: sealed{key: ann}, wants: object{"keyData": "ann", "rekorPublicKeyData": "log"}, refuse: "missing dev.sigstore.cosign/bundle"},
		"in another log":        {sealed: sealed{key: ann, log: bob, logs: known["ann"]}, wants: object{"keyData": "ann", "rekorPublicKeyPath": "log"}, refuse: "Rekor SET failed"},
		"another log, Datas":    {sealed: by, wants: object{"keyData": "ann", "rekorPublicKeyDatas": []string{"bob"}}, refuse: "Rekor SET failed"},
		"another log, Paths":    {sealed: by, wants: object{"keyData": "ann", "rekorPublicKeyPaths": []string{"bob"}}, refuse: "Rekor SET failed"},
		"logged of another key": {sealed: sealed{key: ann, log: log, logs: known["bob"]}, wants: object{"keyData": "ann", "rekorPublicKeyData": "log"}, refuse: "publicKey in Rekor SET does not match"},
		"logged of another":     {sealed: sealed{key: ann, log: log, logs: known["ann"], ofOther: true}, wants: object{"keyData": "ann", "rekorPublicKeyData": "log"}, refuse: "signature in Rekor SET does not match"},
	} {
		t.Run(name, func(t *testing.T) { newSigned(t).try(t, c, known) })
	}
}

// TestPolicySigstoreCertificates: a key that lives for minutes, and a certificate that says whose it was when the log had
// its signature; and certificates of an authority of one's own, which are good now.
func TestPolicySigstoreCertificates(t *testing.T) {
	key, log, otherLog := newKey(t), newKey(t), newKey(t)
	root, other := newAuthority(t, nil), newAuthority(t, nil)
	between := newAuthority(t, root)
	cert := root.signer(t, key, logged.Add(-time.Minute), logged.Add(9*time.Minute))
	late := root.signer(t, key, logged.Add(time.Minute), logged.Add(time.Hour))
	below := between.signer(t, key, logged.Add(-time.Minute), logged.Add(9*time.Minute))
	lasting := root.signer(t, key, logged, logged.AddDate(90, 0, 0))
	lastingBelow := between.signer(t, key, logged, logged.AddDate(90, 0, 0))
	known := map[string][]byte{
		"ca": certPEM(root.cert), "otherCA": certPEM(other.cert), "between": certPEM(between.cert),
		"log": publicPEM(t, log), "otherLog": publicPEM(t, otherLog),
	}
	with := func(cert []byte, log *ecdsa.PrivateKey) sealed {
		return sealed{key: key, log: log, logs: cert, more: map[string]string{"dev.sigstore.cosign/certificate": string(cert)}}
	}
	chained := with(below, log)
	chained.more["dev.sigstore.cosign/chain"] = string(certPEM(between.cert, root.cert))
	wants := func(change object) object {
		f := object{"caData": "ca", "oidcIssuer": "https://login.example", "subjectEmail": "ann@example.org"}
		maps.Copy(f, change)
		if _, ok := change["caPath"]; ok {
			delete(f, "caData")
		}
		return object{"fulcio": f, "rekorPublicKeyData": "log"}
	}
	pki := func(change object) object {
		p := object{"caRootsData": "ca"}
		maps.Copy(p, change)
		if _, ok := change["caRootsPath"]; ok {
			delete(p, "caRootsData")
		}
		return object{"pki": p}
	}
	for name, c := range map[string]sigstoreCase{
		"fulcio":                     {sealed: with(cert, log), wants: wants(nil)},
		"fulcio caPath":              {sealed: with(cert, log), wants: wants(object{"caPath": "ca"})},
		"fulcio between":             {sealed: chained, wants: wants(nil)},
		"fulcio between, no chain":   {sealed: with(below, log), wants: wants(nil), refuse: "unknown authority"},
		"fulcio caData of another":   {sealed: with(cert, log), wants: wants(object{"caData": "otherCA"}), refuse: "unknown authority"},
		"fulcio caPath of another":   {sealed: with(cert, log), wants: wants(object{"caPath": "otherCA"}), refuse: "unknown authority"},
		"fulcio oidcIssuer":          {sealed: with(cert, log), wants: wants(object{"oidcIssuer": "https://other.example"}), refuse: `Unexpected Fulcio OIDC issuer "https://login.example"`},
		"fulcio subjectEmail":        {sealed: with(cert, log), wants: wants(object{"subjectEmail": "bob@example.org"}), refuse: `Required email "bob@example.org" not found`},
		"fulcio, no longer good":     {sealed: with(late, log), wants: wants(nil), refuse: "expired or is not yet valid"},
		"fulcio, another log":        {sealed: with(cert, otherLog), wants: wants(nil), refuse: "Rekor SET failed"},
		"fulcio, in no log":          {sealed: with(cert, nil), wants: wants(nil), refuse: "missing dev.sigstore.cosign/bundle"},
		"fulcio, no certificate":     {sealed: sealed{key: key, log: log, logs: cert}, wants: wants(nil), refuse: "missing dev.sigstore.cosign/certificate"},
		"fulcio, another key":        {sealed: sealed{key: otherLog, log: log, logs: cert, more: with(cert, log).more}, wants: wants(nil), refuse: "verification failed"},
		"pki email":                  {sealed: with(lasting, nil), wants: pki(object{"subjectEmail": "ann@example.org"})},
		"pki caRootsPath, host":      {sealed: with(lasting, nil), wants: pki(object{"caRootsPath": "ca", "subjectHostname": "build.example.org"})},
		"pki caIntermediatesData":    {sealed: with(lastingBelow, nil), wants: pki(object{"caIntermediatesData": "between", "subjectEmail": "ann@example.org"})},
		"pki caIntermediatesPath":    {sealed: with(lastingBelow, nil), wants: pki(object{"caIntermediatesPath": "between", "subjectEmail": "ann@example.org"})},
		"pki without intermediates":  {sealed: with(lastingBelow, nil), wants: pki(object{"subjectEmail": "ann@example.org"}), refuse: "unknown authority"},
		"pki of another":             {sealed: with(lasting, nil), wants: pki(object{"caRootsData": "otherCA", "subjectEmail": "ann@example.org"}), refuse: "unknown authority"},
		"pki of another email":       {sealed: with(lasting, nil), wants: pki(object{"subjectEmail": "bob@example.org"}), refuse: "bob@example.org"},
		"pki of another host":        {sealed: with(lasting, nil), wants: pki(object{"subjectHostname": "other.example.org"}), refuse: "other.example.org"},
		"pki that is no longer good": {sealed: with(cert, nil), wants: pki(object{"subjectEmail": "ann@example.org"}), refuse: "expired or is not yet valid"},
	} {
		t.Run(name, func(t *testing.T) { newSigned(t).try(t, c, known) })
	}
}
