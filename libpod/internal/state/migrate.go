package state

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/lockfile"
)

// The migrations, oldest first: the number of a schema is how many were applied (PRAGMA user_version). A migration that
// has landed is never edited; a new one is added behind it, with a database of the old schema in testdata.
var durableMigrations = []string{`
CREATE TABLE containers (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	created  INTEGER NOT NULL,
	image_id TEXT NOT NULL,
	config   TEXT NOT NULL,
	intent   TEXT NOT NULL,
	started  INTEGER NOT NULL DEFAULT 0,
	exit     TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX containers_created ON containers (created);
CREATE INDEX containers_image ON containers (image_id);
CREATE INDEX containers_intent ON containers (intent) WHERE intent != '';
CREATE TABLE depends (
	id    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
	on_id TEXT NOT NULL REFERENCES containers (id) ON DELETE RESTRICT,
	PRIMARY KEY (id, on_id)
) WITHOUT ROWID;
CREATE INDEX depends_on ON depends (on_id);
CREATE TABLE volumes (
	name TEXT PRIMARY KEY,
	data TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE volume_uses (
	name TEXT NOT NULL REFERENCES volumes (name) ON DELETE RESTRICT,
	id   TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
	PRIMARY KEY (name, id)
) WITHOUT ROWID;
CREATE INDEX volume_uses_id ON volume_uses (id);
`, `
CREATE TABLE configs (
	id     TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
	config TEXT NOT NULL
);
INSERT INTO configs (id, config) SELECT id, config FROM containers ORDER BY created;
ALTER TABLE containers RENAME COLUMN config TO brief;
UPDATE containers SET brief = json_patch('{}', json_object(
	'created', brief -> 'created', 'imageName', brief -> 'imageName',
	'command', brief -> 'command', 'commandOnly', brief -> 'commandOnly',
	'labels', brief -> 'labels', 'volumes', brief -> 'volumes', 'ports', brief -> 'ports', 'network', brief -> 'network',
	'options', json_object(
		'restart', brief -> '$.options.restart', 'remove', brief -> '$.options.remove', 'mounts', brief -> '$.options.mounts')));
`, `
ALTER TABLE containers ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN code INTEGER NOT NULL DEFAULT 0;
`}

var volatileMigrations = []string{`
CREATE TABLE runs (
	id     TEXT PRIMARY KEY,
	intent TEXT NOT NULL,
	data   TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE execs (
	id           TEXT PRIMARY KEY,
	container_id TEXT NOT NULL,
	data         TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX execs_container ON execs (container_id);
`}

// migrate applies what the file lacks. Two processes may come at once: the version is read again under the lock.
func (f *file) migrate(ctx context.Context, db *sql.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if version > len(f.migrations) {
		return errs.WithHint(fmt.Errorf("its schema is version %d, this hull knows %d", version, len(f.migrations)),
			"it was written by a newer hull: use that one, or another --root")
	}
	if version == len(f.migrations) {
		return nil
	}
	// The switch to WAL does not wait for another connection's, as all else does: it is an error at once.
	lock, err := lockfile.Dir(filepath.Dir(f.path)).Lock(ctx, filepath.Base(f.path)+".lock")
	if err != nil {
		return err
	}
	defer lock.Remove()
	// WAL lets readers and one writer go on beside each other; it is a property of the file.
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if version, err = schemaVersion(ctx, tx); err != nil {
		return err
	}
	for ; version < len(f.migrations); version++ {
		if _, err := tx.ExecContext(ctx, f.migrations[version]); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	// Else every command would read all of it from the log until the next that writes.
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func schemaVersion(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
},
) (version int, err error) {
	err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}
