package registry

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	encconfig "github.com/containers/ocicrypt/config"
	"github.com/containers/ocicrypt/helpers"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/pkg/cli"
	"go.podman.io/image/v5/pkg/cli/sigstore/params"
	"go.podman.io/image/v5/signature/signer"
	"go.podman.io/image/v5/signature/sigstore"
	"go.podman.io/image/v5/signature/sigstore/fulcio"
	"go.podman.io/image/v5/signature/sigstore/rekor"

	"hull.dev/hull/pkg/errs"
)

// encryption has the layers encrypted for the keys.
func encryption(c *copy.Options, keys []string, chosen []int) error {
	if len(keys) == 0 {
		return nil
	}
	crypto, err := helpers.CreateCryptoConfig(keys, nil)
	if err != nil {
		return errs.Invalid("--encryption-key: %v", err)
	}
	all := encconfig.CombineCryptoConfigs([]encconfig.CryptoConfig{crypto})
	c.OciEncryptConfig = all.EncryptConfig
	which := slices.Clone(chosen)
	if which == nil {
		which = []int{} // nil would be none
	}
	c.OciEncryptLayers = &which
	return nil
}

// sigstoreSigner signs as a file of parameters says (containers-sigstore-signing-params.yaml(5)): with a private key, or with
// one that lives for this push and a certificate of Fulcio's, and has the signature logged by Rekor where that is named.
// Relative paths in the file are seen from its folder. The passphrase is for a key whose file of a passphrase is not named.
func sigstoreSigner(path string, passphrase []byte) (*signer.Signer, error) {
	p, err := params.ParseFile(path)
	if err != nil {
		return nil, errs.Invalid("%q: %v", path, err)
	}
	var options []sigstore.Option
	switch {
	case p.Fulcio != nil && p.PrivateKeyFile != "":
		return nil, errs.Invalid("%q names a privateKeyFile and fulcio; a signature has one key", path)
	case p.Fulcio != nil:
		option, err := certified(p.Fulcio)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
		options = append(options, option)
	case p.PrivateKeyFile != "":
		if p.PrivateKeyPassphraseFile != "" {
			text, err := cli.ReadPassphraseFile(beside(path, p.PrivateKeyPassphraseFile))
			if err != nil {
				return nil, err
			}
			passphrase = []byte(text)
		}
		options = append(options, sigstore.WithPrivateKeyFile(beside(path, p.PrivateKeyFile), passphrase))
	default:
		return nil, errs.Invalid("%q names neither a privateKeyFile nor fulcio", path)
	}
	if p.RekorURL != "" {
		u, err := serverURL(p.RekorURL)
		if err != nil {
			return nil, errs.Invalid("%q: rekorURL: %v", path, err)
		}
		options = append(options, rekor.WithRekor(u))
	}
	return sigstore.NewSigner(options...)
}

// beside is name as a file sees it that names it.
func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// certified signs with a new key, for which Fulcio gives a certificate to whom an OIDC token names.
func certified(f *params.SigningParameterFileFulcio) (sigstore.Option, error) {
	u, err := serverURL(f.FulcioURL)
	switch {
	case err != nil:
		return nil, errs.Invalid("fulcioURL: %v", err)
	case f.OIDCMode == params.OIDCModeDeviceGrant, f.OIDCMode == params.OIDCModeInteractive:
		return nil, errs.WithHint(errs.NotBuilt("oidcMode: "+string(f.OIDCMode)), "oidcMode: staticToken takes a token that another program has fetched")
	case f.OIDCMode != params.OIDCModeStaticToken:
		return nil, errs.Invalid("oidcMode %q is none of staticToken, deviceGrant and interactive", f.OIDCMode)
	case f.OIDCIDToken == "":
		return nil, errs.Invalid("oidcMode staticToken wants an oidcIDToken")
	}
	return fulcio.WithFulcioAndPreexistingOIDCIDToken(u, f.OIDCIDToken), nil
}

// serverURL reads the address of a server.
func serverURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		err = fmt.Errorf("%q is not the address of a server, as https://HOST", u.Redacted())
	}
	return u, err
}
