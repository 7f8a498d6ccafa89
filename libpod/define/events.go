package define

import "time"

// EventsOptions say which events are wanted (podman-events(1)).
type EventsOptions struct {
	Since   time.Time `json:"since,omitzero"` // zero: from the oldest that is kept
	Until   time.Time `json:"until,omitzero"` // zero: no end
	Filters []string  `json:"filters,omitempty"`
	Follow  bool      `json:"follow,omitempty"` // go on with those that come, until Until
}
