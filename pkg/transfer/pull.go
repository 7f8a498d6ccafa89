package transfer

import "time"

// OpPull is the operation that fetches images with Request.Pull into the store.
const OpPull = "pull"

// Pull is what a job of OpPull is to fetch (podman-pull(1)).
type Pull struct {
	// Reference is TRANSPORT:DETAILS (containers-transports(5)), the paths in it absolute, or a name, which is subject to
	// registries.conf.
	Reference string `json:"reference,omitempty"`
	// CanChoose says that hull can ask the user which of several names a short one means; Result.Candidates is the
	// question. Chosen is the answer, in a second job.
	CanChoose bool   `json:"canChoose,omitempty"`
	Chosen    string `json:"chosen,omitempty"`
	// Local is the id of the image that is there already. It is the result when the registry has no other.
	Local string `json:"local,omitempty"`

	AllTags    bool          `json:"allTags,omitempty"`
	OS         string        `json:"os,omitempty"` // with Arch and Variant: "" is this machine's
	Arch       string        `json:"arch,omitempty"`
	Variant    string        `json:"variant,omitempty"`
	Parallel   uint          `json:"parallel,omitempty"`   // layers at once; 0 is the library's 6
	Retry      uint          `json:"retry,omitempty"`      // times after the first
	RetryDelay time.Duration `json:"retryDelay,omitempty"` // 0: two seconds, then twice as long each time
	Keys       []string      `json:"keys,omitempty"`       // KEYFILE[:PASSPHRASE] for encrypted layers
}

// States of a Blob.
const (
	BlobStarted  = "start"
	BlobProgress = "progress"
	BlobDone     = "done"
	BlobExists   = "exists" // the store has it: it is not fetched
)

// Blob is how far a layer or config is.
type Blob struct {
	Digest string `json:"digest"`
	Kind   string `json:"kind"` // "blob", which is a layer, or "config"
	State  string `json:"state"`
	Done   int64  `json:"done"`            // bytes
	Total  int64  `json:"total,omitempty"` // bytes; 0 when it is not known
}

// transports are what a Pull.Reference may begin with, before a colon, and whether a path follows.
var transports = map[string]bool{
	"docker": false, "containers-storage": false, "docker-daemon": false,
	"oci": true, "oci-archive": true, "dir": true, "docker-archive": true, "sif": true,
}

// IsTransport reports whether the word begins a reference with a transport.
func IsTransport(word string) bool {
	_, ok := transports[word]
	return ok
}

// IsPathTransport reports whether a path follows the transport.
func IsPathTransport(word string) bool { return transports[word] }
