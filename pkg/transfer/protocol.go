// Package transfer is what hull and hull-image say to each other. hull-image is the program that reads archives and talks
// to registries: slow to start and exposed to data of strangers, so it is apart from the one that users run all day.
//
// hull starts hull-image once per job, inside the same user and mount namespaces, mostly before it knows the job
// (pkg/rootless). Descriptor 3 is a stream socket:
//
//	hull → hull-image: one Request as JSON; then nothing, and its end means that hull is gone: the job is cancelled
//	hull-image → hull: one Message as JSON per line: any number with Progress or Debug, one with Result or Error, the end
//
// With the request come no files or two, which become descriptors 0 and 1, else /dev/null: the archive, when it comes from
// hull's standard input, and where an archive is written to that hull asked for.
//
// Descriptor 2 is collected; its last line is what is told when hull-image dies without a Result or Error. A Message is
// at most maxLine bytes. Names and paths travel as they are; no secret is an argument.
package transfer

import (
	"os"

	"hull.dev/hull/pkg/errs"
)

const (
	version = 1
	maxLine = 1 << 20

	socketFD = 3
)

// Operations of a Request.
const (
	OpLoad   = "load"   // images of an archive into the store
	OpImport = "import" // a root file system's tar into the store, as an image of one layer
	OpHello  = "hello"  // the built-in image into the store
)

// Request is a job.
type Request struct {
	Version int    `json:"version"`
	Op      string `json:"op"`
	Store   Store  `json:"store"`
	Debug   bool   `json:"debug,omitempty"` // hull wants to hear what its --log-level=debug tells

	// Path is the archive, absolute; "" is descriptor 0. Source is what the user called it, for messages.
	Path   string `json:"path,omitempty"`
	Source string `json:"source,omitempty"`

	Import Import `json:"import,omitzero"`
	Access Access `json:"access,omitzero"`
	Login  Login  `json:"login,omitzero"`
	Search Search `json:"search,omitzero"`
	Trust  Trust  `json:"trust,omitzero"`
	Pull   Pull   `json:"pull,omitzero"`
	Save   Save   `json:"save,omitzero"`
	Push   Push   `json:"push,omitzero"`
	Sign   Sign   `json:"sign,omitzero"`
	List   List   `json:"list,omitzero"`

	// Artifact is what OpArtifactPush sends, by its name or digest.
	Artifact string `json:"artifact,omitempty"`

	// Output is what hull-image has as descriptor 1; nil is /dev/null.
	Output *os.File `json:"-"`

	// HelloPath is the static program of the built-in image.
	HelloPath string `json:"helloPath,omitempty"`
}

// Store is where the images go; the fields are those of layers.Options.
type Store struct {
	Root          string   `json:"root,omitempty"`
	RunRoot       string   `json:"runRoot,omitempty"`
	Driver        string   `json:"driver,omitempty"`
	DriverOptions []string `json:"driverOptions,omitempty"`
	ImageStore    string   `json:"imageStore,omitempty"`
}

// Import is what podman-import(1) has besides the archive.
type Import struct {
	Name    string   `json:"name,omitempty"` // normalized; "" leaves the image without a name
	Changes []string `json:"changes,omitempty"`
	Message string   `json:"message,omitempty"`
	OS      string   `json:"os,omitempty"`
	Arch    string   `json:"arch,omitempty"`
	Variant string   `json:"variant,omitempty"`
}

// Progress is one step in words for people, or how far a blob is.
type Progress struct {
	Text string `json:"text,omitempty"`
	Blob *Blob  `json:"blob,omitempty"`
}

// Result is what a job made.
type Result struct {
	Images []Image     `json:"images"`
	Login  LoginResult `json:"login,omitzero"`
	Found  []Found     `json:"found,omitempty"`
	Trust  TrustReport `json:"trust,omitzero"`
	// Remote is what OpInspect found.
	Remote *Remote `json:"remote,omitempty"`
	// Sources is what OpSources found.
	Sources *Sources `json:"sources,omitempty"`
	// Candidates are the names that a short one may mean; the user chooses, and nothing was done (OpPull).
	Candidates []string `json:"candidates,omitempty"`
	// Digest is that of the manifest that OpPush, OpArtifactPush or OpArtifactPull wrote.
	Digest string `json:"digest,omitempty"`
	// Manifest is what OpListInspect read.
	Manifest []byte `json:"manifest,omitempty"`
}

// Image is an image that is now in the store.
type Image struct {
	ID    string   `json:"id"`              // 64 hexadecimal digits
	Names []string `json:"names,omitempty"` // that this job gave it
}

// Message is one line of descriptor 3; one field is set.
type Message struct {
	Progress *Progress     `json:"progress,omitempty"`
	Debug    string        `json:"debug,omitempty"`
	Result   *Result       `json:"result,omitempty"`
	Error    *errs.Failure `json:"error,omitempty"`
}
