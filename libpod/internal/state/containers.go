package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/leanjson"
)

// Intents of a container's row.
const (
	IntentNone   = ""
	IntentCreate = "create"
	IntentRun    = "run" // made to be started and to remove itself, and not started yet
	IntentRemove = "rm"

	IntentRemoveVolumes = "rm-v" // with its anonymous volumes
)

// Container is a container as the state has it.
type Container struct {
	Config define.ContainerConfig
	Life
}

// Listed is a container as lists need it, which do not read its whole config.
type Listed struct {
	Config define.ListedConfig
	Life
}

// Life is what changes in a container's rows.
type Life struct {
	Intent  string
	Started time.Time
	Exit    define.Exit
}

type scanner interface{ Scan(...any) error }

// The columns for scanContainer, before a condition, and for scanListed. CROSS makes SQLite find the container first.
const (
	selectContainers = "SELECT id, name, image_id, created, config, intent, started, ended, code, exit FROM containers CROSS JOIN configs USING (id) "
	selectListed     = "SELECT id, name, image_id, created, brief, intent, started, ended, code, exit FROM containers "
)

func scanContainer(row scanner) (*Container, error) {
	c := &Container{}
	return c, c.scan(row, &c.Config, &c.Config.ContainerBrief)
}

func scanListed(row scanner) (*Listed, error) {
	c := &Listed{}
	return c, c.scan(row, &c.Config, &c.Config.ContainerBrief)
}

// scan reads a row, which has the JSON of config; brief is within it, and what has a column is set there.
func (l *Life) scan(row scanner, config any, brief *define.ContainerBrief) error {
	var id, name, imageID string
	var text, exit sql.RawBytes
	var created, started, ended int64
	if err := row.Scan(&id, &name, &imageID, &created, &text, &l.Intent, &started, &ended, &l.Exit.Code, &exit); err != nil {
		return err
	}
	if err := json.Unmarshal(text, config); err != nil {
		return fmt.Errorf("config of container %s: %w", id, err)
	}
	brief.ID, brief.Name, brief.ImageID = id, name, imageID
	if brief.Created.IsZero() {
		brief.Created = time.Unix(0, created)
	}
	if brief.Command == nil {
		brief.Command = slices.Clone(brief.CommandOnly)
	}
	if started != 0 {
		l.Started = time.Unix(0, started)
	}
	if ended != 0 {
		l.Exit.At = time.Unix(0, ended)
	}
	if len(exit) > 0 {
		if err := json.Unmarshal(exit, &l.Exit); err != nil {
			return fmt.Errorf("exit of container %s: %w", id, err)
		}
	}
	return nil
}

// Reservation is what a create claims in one transaction.
type Reservation struct {
	Config    *define.ContainerConfig
	DependsOn []string        // container ids
	Volumes   []define.Volume // made where there is none of the name; their folders come after
}

// AddContainer inserts a row with the intent to create. A taken name is an error of class AlreadyExists.
func (s *Store) AddContainer(ctx context.Context, r Reservation) error {
	brief, config, err := encode(r.Config)
	if err != nil {
		return err
	}
	return s.durableTx(!r.Config.Options.Remove)(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO containers (id, name, created, image_id, brief, intent) VALUES (?, ?, ?, ?, ?, ?)",
			r.Config.ID, r.Config.Name, r.Config.Created.UnixNano(), r.Config.ImageID, brief, IntentCreate)
		if unique(err) {
			return errs.Exists("the name %q is taken", r.Config.Name)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO configs (id, config) VALUES (?, ?)", r.Config.ID, config); err != nil {
			return fmt.Errorf("add the config of container %s: %w", r.Config.ID, err)
		}
		for _, on := range r.DependsOn {
			if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO depends (id, on_id) VALUES (?, ?)", r.Config.ID, on); err != nil {
				return fmt.Errorf("depend on container %s: %w", on, err)
			}
		}
		for i := range r.Volumes {
			if err := addVolume(ctx, tx, &r.Volumes[i], r.Config.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// durableTx is a transaction of the durable file, synced or not.
func (s *Store) durableTx(synced bool) func(context.Context, func(*sql.Tx) error) error {
	if synced {
		return s.durable.sync
	}
	return s.durable.tx
}

func unique(err error) bool {
	e, ok := errors.AsType[sqlite3.Error](err)
	return ok && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// UpdateContainer writes the config of a container that is being created, and its intent.
func (s *Store) UpdateContainer(ctx context.Context, c *define.ContainerConfig, intent string) error {
	brief, config, err := encode(c)
	if err != nil {
		return err
	}
	return s.durableTx(!c.Options.Remove)(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE configs SET config = ? WHERE id = ?", config, c.ID); err != nil {
			return fmt.Errorf("update the config of container %s: %w", c.ID, err)
		}
		_, err := tx.ExecContext(ctx, "UPDATE containers SET brief = ?, intent = ? WHERE id = ?", brief, intent, c.ID)
		return err
	})
}

// encode makes the two texts of a config: what lists read, and all of it.
func encode(c *define.ContainerConfig) (brief, config string, err error) {
	listed := c.Listed()
	listed.ID, listed.Name, listed.ImageID, listed.Created = "", "", "", time.Time{}
	if slices.Equal(listed.Command, listed.CommandOnly) {
		listed.Command = nil
	}
	short, err := leanjson.Marshal(listed)
	if err != nil {
		return "", "", err
	}
	whole, err := leanjson.Marshal(c)
	return string(short), string(whole), err
}

// SetIntent writes what is about to be done to a container.
func (s *Store) SetIntent(ctx context.Context, c *define.ContainerConfig, intent string) error {
	return s.durableTx(!c.Options.Remove)(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE containers SET intent = ? WHERE id = ?", intent, c.ID)
		return err
	})
}

// SetEnd is SetIntent and SetExit in one.
func (s *Store) SetEnd(ctx context.Context, c *define.ContainerConfig, intent string, exit define.Exit) error {
	ended, more, err := encodeExit(exit)
	if err != nil {
		return err
	}
	return s.durableTx(!c.Options.Remove)(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE containers SET intent = ?, ended = ?, code = ?, exit = ? WHERE id = ?", intent, ended, exit.Code, more, c.ID)
		return err
	})
}

// SetStarted writes the time of a start; what was intended is done.
func (s *Store) SetStarted(ctx context.Context, id string, at time.Time) error {
	return s.exec(ctx, s.durable, "UPDATE containers SET started = ?, intent = '' WHERE id = ?", at.UnixNano(), id)
}

// SetExit writes how the last run ended.
func (s *Store) SetExit(ctx context.Context, id string, exit define.Exit) error {
	ended, more, err := encodeExit(exit)
	if err != nil {
		return err
	}
	return s.exec(ctx, s.durable, "UPDATE containers SET ended = ?, code = ?, exit = ? WHERE id = ?", ended, exit.Code, more, id)
}

// encodeExit makes the columns ended and exit, of which a list reads the first alone for most.
func encodeExit(exit define.Exit) (ended int64, more string, err error) {
	if !exit.At.IsZero() {
		ended = exit.At.UnixNano()
	}
	exit.Code, exit.At = 0, time.Time{}
	if exit == (define.Exit{}) {
		return ended, "", nil
	}
	text, err := json.Marshal(exit)
	return ended, string(text), err
}

// Rename gives a container another name, all or nothing.
func (s *Store) Rename(ctx context.Context, id, name string) error {
	err := s.durable.sync(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE containers SET name = ? WHERE id = ?", name, id)
		return err
	})
	if unique(err) {
		return errs.Exists("the name %q is taken", name)
	}
	return err
}

// RemoveContainer deletes the row with what hangs on it, and these volumes, which nobody else uses. A row that a loss of
// power brings back has the intent to be removed.
func (s *Store) RemoveContainer(ctx context.Context, id string, volumes []string) error {
	_, err := s.removeContainer(ctx, volumes, "DELETE FROM containers WHERE id = ?", id)
	return err
}

// RemoveUnlessLast is RemoveContainer, unless no other container is made from the image. It reports whether the row is gone.
func (s *Store) RemoveUnlessLast(ctx context.Context, id, imageID string, volumes []string) (bool, error) {
	return s.removeContainer(ctx, volumes, "DELETE FROM containers WHERE id = ?1 AND EXISTS "+
		"(SELECT 1 FROM containers WHERE image_id = ?2 AND id != ?1)", id, imageID)
}

func (s *Store) removeContainer(ctx context.Context, volumes []string, query string, args ...any) (gone bool, err error) {
	err = s.durable.tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("remove the row of container %s: %w", args[0], err)
		}
		n, err := result.RowsAffected()
		if n == 0 || err != nil {
			return err
		}
		gone = true
		for _, name := range volumes {
			if _, err := tx.ExecContext(ctx, "DELETE FROM volumes WHERE name = ?", name); err != nil {
				return fmt.Errorf("remove the row of volume %q: %w", name, err)
			}
		}
		return nil
	})
	return gone && err == nil, err
}

func (s *Store) exec(ctx context.Context, f *file, query string, args ...any) error {
	db, err := f.open(ctx)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("state %q: %w", f.path, err)
	}
	return nil
}

// Lookup finds a container by id, name or unambiguous beginning of an id, in this order. One that is still being
// created is not found: nobody may see it half made.
func (s *Store) Lookup(ctx context.Context, ref string) (*Container, error) {
	if !s.durable.exists() || ref == "" {
		return nil, noSuch(ref)
	}
	found, err := s.containers(ctx, "WHERE (id = ?1 OR name = ?1) AND intent != 'create' ORDER BY id = ?1 DESC", ref)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	if strings.Trim(ref, "0123456789abcdef") != "" {
		return nil, noSuch(ref)
	}
	// A "g" sorts behind every hexadecimal digit.
	found, err = s.containers(ctx, "WHERE id >= ?1 AND id < ?1 || 'g' AND intent != 'create' LIMIT 2", ref)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, noSuch(ref)
	case len(found) > 1:
		return nil, errs.Invalid("more than one container id begins with %q; give more of it", ref)
	}
	return found[0], nil
}

func noSuch(ref string) error {
	return errs.WithHint(errs.NotFound("no such container %q", ref), "hull ps --all lists what there is")
}

// Get returns the row of an id, also one that is being created.
func (s *Store) Get(ctx context.Context, id string) (*Container, error) {
	found, err := s.containers(ctx, "WHERE id = ?", id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noSuch(id)
	}
	return found[0], nil
}

// Holder returns the row that holds a name, also one that is being created; nil when the name is free.
func (s *Store) Holder(ctx context.Context, name string) (*Container, error) {
	found, err := s.containers(ctx, "WHERE name = ?", name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// List returns the containers that are made whole, oldest first.
func (s *Store) List(ctx context.Context) ([]*Listed, error) {
	return s.listed(ctx, "WHERE intent != 'create'")
}

// All returns all containers whole, also those that are being created.
func (s *Store) All(ctx context.Context) ([]*Container, error) { return s.containers(ctx, "") }

// Latest returns the container made last.
func (s *Store) Latest(ctx context.Context) (*Container, error) {
	found, err := s.containers(ctx, "WHERE intent != 'create' ORDER BY created DESC LIMIT 1")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errs.NotFound("there is no container")
	}
	return found[0], nil
}

// Among returns the containers with these ids that are made whole, oldest first.
func (s *Store) Among(ctx context.Context, ids []string) ([]*Listed, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return s.listed(ctx, "WHERE id IN (?"+strings.Repeat(",?", len(ids)-1)+") AND intent != 'create'", args...)
}

// Unfinished returns the ids of the rows with an intent: what a dead process left, or a living one is at.
func (s *Store) Unfinished(ctx context.Context) ([]string, error) {
	return s.strings(ctx, "SELECT id FROM containers WHERE intent != ''")
}

// UsingImage returns the ids of the containers made from an image, also of those that are being created or removed.
func (s *Store) UsingImage(ctx context.Context, imageID string) ([]string, error) {
	return s.strings(ctx, "SELECT id FROM containers WHERE image_id = ?", imageID)
}

// UsedImages returns of each image how many containers are made from it. Images that none is made from are not in it.
func (s *Store) UsedImages(ctx context.Context) (map[string]int, error) {
	used := map[string]int{}
	if !s.durable.exists() {
		return used, nil
	}
	_, err := query(ctx, s.durable, func(row scanner) (id string, err error) {
		var n int
		err = row.Scan(&id, &n)
		used[id] = n
		return id, err
	}, "SELECT image_id, count(*) FROM containers WHERE image_id != '' GROUP BY image_id")
	return used, err
}

// Dependents returns the ids of the containers that share something of container id.
func (s *Store) Dependents(ctx context.Context, id string) ([]string, error) {
	return s.strings(ctx, "SELECT id FROM depends WHERE on_id = ?", id)
}

// DependsOn returns the ids of the containers that container id shares something of.
func (s *Store) DependsOn(ctx context.Context, id string) ([]string, error) {
	return s.strings(ctx, "SELECT on_id FROM depends WHERE id = ?", id)
}

func (s *Store) containers(ctx context.Context, where string, args ...any) ([]*Container, error) {
	if !s.durable.exists() {
		return nil, nil
	}
	return query(ctx, s.durable, scanContainer, selectContainers+where, args...)
}

// listed returns containers oldest first. They are sorted here: by the index of created each would be looked up by id.
func (s *Store) listed(ctx context.Context, where string, args ...any) ([]*Listed, error) {
	if !s.durable.exists() {
		return nil, nil
	}
	list, err := query(ctx, s.durable, scanListed, selectListed+where, args...)
	slices.SortStableFunc(list, func(a, b *Listed) int { return a.Config.Created.Compare(b.Config.Created) })
	return list, err
}

func (s *Store) strings(ctx context.Context, q string, args ...any) ([]string, error) {
	if !s.durable.exists() {
		return nil, nil
	}
	return query(ctx, s.durable, func(row scanner) (string, error) {
		var v string
		return v, row.Scan(&v)
	}, q, args...)
}

// query reads all rows of q through scan.
func query[T any](ctx context.Context, f *file, scan func(scanner) (T, error), q string, args ...any) (list []T, err error) {
	db, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("state %q: %w", f.path, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("state %q: %w", f.path, err)
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
