package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/leanjson"
	"hull.dev/hull/pkg/network"
)

// Intents of a run.
const (
	IntentStart   = "start"
	IntentStop    = "stop"
	IntentCleanup = "cleanup"
)

// Run is what a running container holds besides its process.
type Run struct {
	ID          string         `json:"-"`
	Intent      string         `json:"-"`
	Initialized bool           `json:"initialized,omitempty"` // made by init, its process waits for start
	Paused      bool           `json:"paused,omitempty"`
	Started     time.Time      `json:"started"`
	Mount       string         `json:"mount,omitempty"`   // the root file system
	NetNS       string         `json:"netns,omitempty"`   // bind-mounted network namespace of its own
	Helpers     []Process      `json:"helpers,omitempty"` // slirp4netns, pasta
	IPs         []string       `json:"ips,omitempty"`
	Runtime     string         `json:"runtime,omitempty"` // path of the OCI runtime that made it
	DNS         []string       `json:"dns,omitempty"`     // servers that the uplink or the networks offer
	Joins       []network.Join `json:"joins,omitempty"`   // the networks that hull-net has put it on
}

// Process names a process so that a reused pid is not mistaken for it.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of /proc/PID/stat
}

func scanRun(row scanner) (*Run, error) {
	var r Run
	var data string
	if err := row.Scan(&r.ID, &r.Intent, &data); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(data), &r); err != nil {
		return nil, fmt.Errorf("run of container %s: %w", r.ID, err)
	}
	return &r, nil
}

// PutRun writes a run with its intent.
func (s *Store) PutRun(ctx context.Context, r *Run) error {
	data, err := leanjson.Marshal(r)
	if err != nil {
		return err
	}
	return s.exec(ctx, s.volatile, "INSERT INTO runs (id, intent, data) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET intent = excluded.intent, data = excluded.data",
		r.ID, r.Intent, string(data))
}

// GetRun returns the run of a container, or nil when it does not run.
func (s *Store) GetRun(ctx context.Context, id string) (*Run, error) {
	if !s.volatile.exists() {
		return nil, nil
	}
	runs, err := query(ctx, s.volatile, scanRun, "SELECT id, intent, data FROM runs WHERE id = ?", id)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return runs[0], nil
}

// Runs returns all runs by container id.
func (s *Store) Runs(ctx context.Context) (map[string]*Run, error) {
	if !s.volatile.exists() {
		return nil, nil
	}
	list, err := query(ctx, s.volatile, scanRun, "SELECT id, intent, data FROM runs")
	if err != nil {
		return nil, err
	}
	runs := make(map[string]*Run, len(list))
	for _, r := range list {
		runs[r.ID] = r
	}
	return runs, nil
}

// RemoveRun deletes the run of a container and its exec sessions.
func (s *Store) RemoveRun(ctx context.Context, id string) error {
	return s.volatile.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM execs WHERE container_id = ?", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE id = ?", id)
		return err
	})
}

// AddExec inserts an exec session.
func (s *Store) AddExec(ctx context.Context, e *define.ExecSession) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.exec(ctx, s.volatile, "INSERT INTO execs (id, container_id, data) VALUES (?, ?, ?)", e.ID, e.ContainerID, string(data))
}

// RemoveExec deletes an exec session.
func (s *Store) RemoveExec(ctx context.Context, id string) error {
	return s.exec(ctx, s.volatile, "DELETE FROM execs WHERE id = ?", id)
}

// Execs returns the exec sessions of a container, or of all when id is "".
func (s *Store) Execs(ctx context.Context, id string) ([]*define.ExecSession, error) {
	if !s.volatile.exists() {
		return nil, nil
	}
	return query(ctx, s.volatile, func(row scanner) (*define.ExecSession, error) {
		var data string
		if err := row.Scan(&data); err != nil {
			return nil, err
		}
		var e define.ExecSession
		return &e, json.Unmarshal([]byte(data), &e)
	}, "SELECT data FROM execs WHERE ?1 = '' OR container_id = ?1 ORDER BY id", id)
}
