package transfer

// Operations on lists of images for platforms (podman-manifest(1)). A list goes to a registry with OpPush.
const (
	OpListAdd     = "list-add"     // images into a list of the store
	OpListInspect = "list-inspect" // read a manifest where it is
)

// List is a job on a list of images.
type List struct {
	ID string `json:"id,omitempty"` // of the list; "" makes one
	// Name is what a new list is called, normalized; Annotations are the new list's.
	Name        string            `json:"name,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	// References are the images to add, or the one whose manifest is read: TRANSPORT:DETAILS, or names. A short name, and
	// one of localhost, is an image of the store before it is one elsewhere; any other is one of the store when its
	// registry does not have it.
	References []string `json:"references,omitempty"`
	All        bool     `json:"all,omitempty"` // of a list all of its images, not the one for this machine
	Entry      Entry    `json:"entry,omitzero"`
}

// Entry is what a list says of an image in it, where that differs from what the image says.
type Entry struct {
	OS          string            `json:"os,omitempty"`
	Arch        string            `json:"arch,omitempty"`
	Variant     string            `json:"variant,omitempty"`
	OSVersion   string            `json:"osVersion,omitempty"`
	OSFeatures  []string          `json:"osFeatures,omitempty"`
	Features    []string          `json:"features,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// OfOne reports whether something in it holds for a single image, not for several.
func (e Entry) OfOne() bool {
	return e.OS != "" || e.Arch != "" || e.Variant != "" || e.OSVersion != "" || len(e.OSFeatures) > 0 || len(e.Features) > 0
}
