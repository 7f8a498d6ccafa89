package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"hull.dev/hull/libpod/define"
)

// addVolume inserts a volume where there is none of its name, and its use by a container.
func addVolume(ctx context.Context, tx *sql.Tx, v *define.Volume, containerID string) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO volumes (name, data) VALUES (?, ?)", v.Name, string(data)); err != nil {
		return fmt.Errorf("add volume %q: %w", v.Name, err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO volume_uses (name, id) VALUES (?, ?)", v.Name, containerID); err != nil {
		return fmt.Errorf("use volume %q: %w", v.Name, err)
	}
	return nil
}

// GetVolume returns a volume, or nil.
func (s *Store) GetVolume(ctx context.Context, name string) (*define.Volume, error) {
	found, err := s.volumes(ctx, "WHERE name = ?", name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// ListVolumes returns all volumes by name.
func (s *Store) ListVolumes(ctx context.Context) ([]*define.Volume, error) {
	return s.volumes(ctx, "ORDER BY name")
}

// UsersOf returns the ids of the containers that use a volume.
func (s *Store) UsersOf(ctx context.Context, name string) ([]string, error) {
	return s.strings(ctx, "SELECT id FROM volume_uses WHERE name = ?", name)
}

func (s *Store) volumes(ctx context.Context, where string, args ...any) ([]*define.Volume, error) {
	if !s.durable.exists() {
		return nil, nil
	}
	return query(ctx, s.durable, func(row scanner) (*define.Volume, error) {
		var data string
		if err := row.Scan(&data); err != nil {
			return nil, err
		}
		var v define.Volume
		return &v, json.Unmarshal([]byte(data), &v)
	}, "SELECT data FROM volumes "+where, args...)
}
