package transfer

// OpInspect reads manifest and config of the image that Pull.Reference is, without fetching its layers. Of a list it is
// the image for the platform that Pull names.
const OpInspect = "inspect"

// Remote is what OpInspect found.
type Remote struct {
	ID        string   `json:"id"`                // 64 hexadecimal digits: the digest of the config
	Name      string   `json:"name,omitempty"`    // that it has in a registry, with a tag or digest
	Digests   []string `json:"digests,omitempty"` // of its manifest, and of the list that it was found by
	Manifest  []byte   `json:"manifest"`
	MediaType string   `json:"mediaType"` // of Manifest
	Config    []byte   `json:"config"`
	Size      int64    `json:"size"` // bytes of the layers as they are there, compressed mostly
}
