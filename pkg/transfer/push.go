package transfer

import "time"

// OpPush is the operation that copies an image of the store to where Request.Push says.
const OpPush = "push"

// Push is what a job of OpPush is to copy, and to where (podman-push(1)).
type Push struct {
	ID string `json:"id,omitempty"` // of the image
	// List says that ID is a list, which is copied as such; AllImages, with all of its images. Additional are the
	// compressions in which each platform's image is to be there.
	List       bool     `json:"list,omitempty"`
	AllImages  bool     `json:"allImages,omitempty"`
	Additional []string `json:"additional,omitempty"`

	// Destination is TRANSPORT:DETAILS (containers-transports(5)), the paths in it absolute.
	Destination string `json:"destination,omitempty"`

	Format           string        `json:"format,omitempty"`   // "oci", "v2s1", "v2s2"; "" is what the image is, or what the destination takes
	Compress         bool          `json:"compress,omitempty"` // dir: layers with gzip
	Compression      string        `json:"compression,omitempty"`
	CompressionLevel *int          `json:"compressionLevel,omitempty"`
	ForceCompression bool          `json:"forceCompression,omitempty"`
	RemoveSignatures bool          `json:"removeSignatures,omitempty"`
	Retry            uint          `json:"retry,omitempty"`      // times after the first
	RetryDelay       time.Duration `json:"retryDelay,omitempty"` // 0: two seconds, then twice as long each time

	// SignBy is the key that gpg signs with; Passphrase is its own then, or nil when gpg's agent is asked.
	// SignAs is the name that is signed where the destination is none: in a folder.
	SignBy string `json:"signBy,omitempty"`
	SignAs string `json:"signAs,omitempty"`

	// SigstoreKey is a private key, and SigstoreParameters a file that names one
	// (containers-sigstore-signing-params.yaml(5)); both are absolute paths. Passphrase is the key's.
	SigstoreKey        string `json:"sigstoreKey,omitempty"`
	SigstoreParameters string `json:"sigstoreParameters,omitempty"`
	Passphrase         []byte `json:"passphrase,omitempty"`

	// EncryptionKeys are for whom layers are encrypted, "jwe:/path/of/public.pem"; EncryptLayers are which, all when it is
	// empty, from the top when negative.
	EncryptionKeys []string `json:"encryptionKeys,omitempty"`
	EncryptLayers  []int    `json:"encryptLayers,omitempty"`
}
