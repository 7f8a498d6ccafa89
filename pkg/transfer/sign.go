package transfer

// OpSign is the operation that signs images where they are, and writes the signatures to files (podman-image-sign(1)).
const OpSign = "sign"

// Sign is what a job of OpSign is to sign.
type Sign struct {
	References []string `json:"references,omitempty"` // TRANSPORT:DETAILS with absolute paths, or names with a registry
	Key        string   `json:"key,omitempty"`        // that gpg signs with
	// All says that each is a list, of which all images are signed too; without it the manifest that the name leads to is.
	All bool `json:"all,omitempty"`
	// Directory is where the signatures go, absolute; "" is where registries.d says (containers-registries.d(5)).
	Directory string `json:"directory,omitempty"`
}
