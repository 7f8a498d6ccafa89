package system

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
)

var id = strings.Repeat("ab", 32)

func TestIDBelow(t *testing.T) {
	for path, want := range map[string]bool{
		"/run/c/" + id:                       true,
		"/run/c/" + id + "/shm":              true,
		"/run/c/" + id + "/x (deleted)":      true,
		"/run/c/" + id[:12]:                  false,
		"/run/c":                             false,
		"/run/cc/" + id:                      false,
		"/other/run/c/" + id + "/shm":        false,
		"/run/c/../" + id:                    false,
		"/run/c/" + strings.Repeat("xy", 32): false,
	} {
		if got, ok := idBelow(path, "/run/c"); ok != want || ok && got != id {
			t.Errorf("%s: %q, %v", path, got, ok)
		}
	}
}

// quiet stands for the containers' service, with nothing to say about rows.
type quiet struct {
	Containers
	text string
}

func (q quiet) Unsettled(*state.Container, *state.Run, []*define.ExecSession) string { return q.text }

func TestJudge(t *testing.T) {
	row := &state.Container{Config: define.ContainerConfig{ContainerBrief: define.ContainerBrief{ID: id, Name: "web"}}}
	leftovers := []thing{{folder, "/x"}, {netNS, "/y"}}
	for name, c := range map[string]struct {
		facts facts
		rows  string // what the rows tell
		want  []string
	}{
		"well":    {facts: facts{row: row, static: true, record: true}},
		"running": {facts: facts{row: row, static: true, record: true, run: &state.Run{}, things: leftovers, pids: []int{1}, mounts: []string{"/m"}}},
		"stopped": {
			facts: facts{row: row, static: true, record: true, things: leftovers, pids: []int{7}, mounts: []string{"/m"}},
			want: []string{
				"it does not run, and the runtime folder is there", "it does not run, and the network namespace is there",
				"it does not run, and the mount /m is there", "it does not run, and its process 7 is there",
			},
		},
		"no layer": {facts: facts{row: row, static: true}, want: []string{"its layer is not in the store"}},
		"unsettled says it all": {
			facts: facts{row: row, things: leftovers}, rows: "its creation was not finished",
			want: []string{"its creation was not finished"},
		},
		"no row": {
			facts: facts{run: &state.Run{}, static: true, record: true},
			want:  []string{"it is not known, and the record of its run is there", "it is not known, and its folder is there", "it is not known, and its layer is there"},
		},
	} {
		s := &Service{Containers: quiet{text: c.rows}}
		if got := s.judge(id, &c.facts); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestEventFilters(t *testing.T) {
	event := &define.Event{Type: "container", Status: "died", Name: "web", ID: id, Attributes: map[string]string{"a": "b", "c": ""}}
	for text, want := range map[string]bool{
		"":                                 true,
		"container=web":                    true,
		"container=" + id[:6]:              true,
		"container=we":                     false,
		"image=web":                        false,
		"type=container":                   true,
		"event=die":                        true,
		"event=start event=died":           true,
		"event=start container=web":        false,
		"label=a=b":                        true,
		"label=a":                          false,
		"label=c":                          true,
		"TYPE=container event=died":        true,
		"container=web type=image":         false,
		"container=other container=web":    true,
		"container= event=died type=image": false,
	} {
		match, err := eventFilters(strings.Fields(text))
		if err != nil || match(event) != want {
			t.Errorf("%q: want %v, %v", text, want, err)
		}
	}
	for _, bad := range []string{"nosuch=1", "plain"} {
		if _, err := eventFilters([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestUptime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * time.Second:           "0h 1m 30.00s",
		36*time.Hour + time.Second: "36h 0m 1.00s (Approximately 1.50 days)",
	} {
		if got := uptime(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
