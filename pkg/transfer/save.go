package transfer

// OpSave is the operation that writes images of the store as Request.Save says: an archive to descriptor 1, a folder
// in place.
const OpSave = "save"

// Formats of a Save; the words are those of podman-save(1).
const (
	FormatDockerArchive = "docker-archive"
	FormatDockerDir     = "docker-dir"
	FormatOCIArchive    = "oci-archive"
	FormatOCIDir        = "oci-dir"
)

// Save is what a job of OpSave is to write. Only FormatDockerArchive takes more than one image.
type Save struct {
	Format string      `json:"format,omitempty"`
	Images []SaveImage `json:"images,omitempty"`
	// Dir is the folder of FormatDockerDir and FormatOCIDir, absolute; it is there. Target, when it is set, is the path that
	// it gets when all is written, in place of the folder there; when not all is, Dir goes.
	Dir    string `json:"dir,omitempty"`
	Target string `json:"target,omitempty"`

	Compress     bool `json:"compress,omitempty"`     // FormatDockerDir: layers with gzip
	Uncompressed bool `json:"uncompressed,omitempty"` // FormatOCI…: layers as tar
}

// SaveImage is an image to save and what it is called in the archive.
type SaveImage struct {
	ID    string   `json:"id"`
	Names []string `json:"names,omitempty"` // normalized, with tags
}
