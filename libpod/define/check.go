package define

import "time"

// CheckOptions say how thorough a check is and what its repair may do (podman-system-check(1)).
type CheckOptions struct {
	Quick  bool          `json:"quick,omitempty"`  // do not read the content of layers
	Force  bool          `json:"force,omitempty"`  // repair may remove damaged containers, and stop those that nobody watches
	MaxAge time.Duration `json:"maxAge,omitempty"` // a layer that nothing uses and that is older counts as damaged; 0: never
}

// Finding is a row without its thing, a thing without its row, or damage.
type Finding struct {
	ID   string `json:"id,omitempty"` // of the container, or "" for what belongs to none
	Text string `json:"text"`         // one line
}
