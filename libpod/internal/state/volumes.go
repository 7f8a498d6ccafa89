package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"hull.dev/hull/libpod/define"
)

// PrunedPrefix begins the name of a volume's folder that is on its way out: its row is gone, or goes with the next prune. No
// volume is called so, since names begin with a letter or a digit.
const PrunedPrefix = ".pruned."

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

// RemoveVolume removes the row of a volume that no container uses, and reports whether it did. away takes the volume itself out
// of the way; while it runs nobody can begin to use the volume, and when it fails the row stays.
func (s *Store) RemoveVolume(ctx context.Context, name string, away func() error) (gone bool, err error) {
	err = s.durable.sync(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM volumes WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM volume_uses WHERE name = ?1)", name)
		if err != nil {
			return fmt.Errorf("remove the row of volume %q: %w", name, err)
		}
		n, err := result.RowsAffected()
		if n == 0 || err != nil {
			return err
		}
		gone = true
		return away()
	})
	return gone && err == nil, err
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
