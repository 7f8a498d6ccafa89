package define

import "time"

// LogsOptions say which lines of a container's log are wanted (podman-logs(1)).
type LogsOptions struct {
	Since  time.Time `json:"since,omitzero"` // zero: from the beginning
	Until  time.Time `json:"until,omitzero"` // zero: to the end
	Tail   int       `json:"tail"`           // the last so many lines; negative: all
	Follow bool      `json:"follow,omitempty"`
}

// LogLine is a line of a container's log, or a piece of one.
type LogLine struct {
	Time    time.Time
	Stderr  bool
	Text    []byte // without the line feed; valid during the call that it is given to
	Partial bool   // the line goes on in the next piece of its stream
}
