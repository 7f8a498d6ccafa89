package containers

import (
	"path/filepath"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/events"
)

// Who waits for a container that removes itself may look when all that is left of it are its events.
func TestDiedWith(t *testing.T) {
	s := &Service{Events: &events.Log{Path: filepath.Join(t.TempDir(), "events.log")}}
	if code := s.diedWith(t.Context(), "a"); code != -1 {
		t.Errorf("without events: %d", code)
	}
	c := new(define.ContainerConfig)
	c.ID = "a"
	for _, code := range []int{1, 7} {
		s.event(c, "died", &code)
	}
	s.event(c, "remove", nil)
	other := 9
	c.ID, c.Labels = "b", map[string]string{"of": "a"}
	s.event(c, "died", &other)
	if code := s.diedWith(t.Context(), "a"); code != 7 {
		t.Errorf("died with %d", code)
	}
	if code := s.diedWith(t.Context(), "c"); code != -1 {
		t.Errorf("another died with %d", code)
	}
}
