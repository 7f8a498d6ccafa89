package registry

import (
	"path/filepath"
	"slices"

	encconfig "github.com/containers/ocicrypt/config"
	"github.com/containers/ocicrypt/helpers"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/pkg/cli"
	"go.podman.io/image/v5/pkg/cli/sigstore/params"
	"go.podman.io/image/v5/signature/signer"
	"go.podman.io/image/v5/signature/sigstore"

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

// sigstoreSigner signs with the private key that a file of parameters names; relative paths in it are seen from its folder.
// The passphrase is for a key whose file of a passphrase is not named.
func sigstoreSigner(path string, passphrase []byte) (*signer.Signer, error) {
	p, err := params.ParseFile(path)
	switch {
	case err != nil:
		return nil, errs.Invalid("%q: %v", path, err)
	case p.Fulcio != nil:
		return nil, errs.WithHint(errs.NotBuilt("signing with a certificate of Fulcio"), "privateKeyFile in %q signs with a key", path)
	case p.RekorURL != "":
		return nil, errs.NotBuilt("uploading signatures to Rekor")
	case p.PrivateKeyFile == "":
		return nil, errs.Invalid("%q names no privateKeyFile", path)
	}
	beside := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	if p.PrivateKeyPassphraseFile != "" {
		text, err := cli.ReadPassphraseFile(beside(p.PrivateKeyPassphraseFile))
		if err != nil {
			return nil, err
		}
		passphrase = []byte(text)
	}
	return sigstore.NewSigner(sigstore.WithPrivateKeyFile(beside(p.PrivateKeyFile), passphrase))
}
