package logs

import (
	"time"

	"hull.dev/hull/conmon/internal/stdio"
)

// k8s is the format of k8s-file, conmon's and CRI's: time in the zone of the host, stream, F or P, the bytes as they are.
type k8s struct{ zone *time.Location }

func (k k8s) record(b []byte, at time.Time, s stdio.Stream, line []byte, whole bool) []byte {
	b = at.In(k.zone).AppendFormat(b, "2006-01-02T15:04:05.000000000-07:00")
	b = append(append(append(b, ' '), s.String()...), ' ')
	if whole {
		b = append(b, "F "...)
	} else {
		b = append(b, "P "...)
	}
	return append(append(b, line...), '\n')
}

func (k8s) keep([]byte) int { return 0 }
