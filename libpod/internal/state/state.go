// Package state is what hull knows of its objects: two SQLite files.
//
// The durable one, GRAPHROOT/hull/state.db, holds what exists. What would be missed after a loss of power is synced before
// the call returns: create, rename, the intent to remove, but not for containers that remove themselves. Times are nanoseconds since 1970, 0 for never.
//
//	containers.id         TEXT     64 hexadecimal digits
//	containers.name       TEXT     unique
//	containers.created    INTEGER  when create was called
//	containers.image_id   TEXT     "" with --rootfs; so that rmi need not read every config
//	containers.brief      TEXT     define.ListedConfig as JSON, for lists, without what has a column, and without Command where it is CommandOnly
//	containers.intent     TEXT     what a process has begun and not ended: "", create, run, rm, rm-v; written before the act
//	containers.started    INTEGER  last start; written by start
//	containers.ended      INTEGER  end of the last run; this and the next two are written by cleanup
//	containers.code       INTEGER  exit code of the last run
//	containers.exit       TEXT     what else is in its define.Exit as JSON, or ""; rows of schema 1 and 2 have all of it here
//	configs.id            TEXT     container id
//	configs.config        TEXT     define.ContainerConfig as JSON, for what is done to one container; Name in it is not read
//	depends.id, .on_id    TEXT     container id shares a namespace or volumes of container on_id
//	volumes.name          TEXT     unique
//	volumes.data          TEXT     define.Volume as JSON
//	volume_uses.name, .id TEXT     volume name is mounted in container id
//
// The volatile one, RUNTIMEDIR/KEY/state.db, holds what runs. A reboot empties its folder: a container without a row
// there does not run.
//
//	runs.id               TEXT     container id
//	runs.intent           TEXT     "", start, cleanup, stop
//	runs.data             TEXT     Run as JSON
//	execs.id              TEXT     exec session id
//	execs.container_id    TEXT
//	execs.data            TEXT     define.ExecSession as JSON
//
// Whether a process lives and how it ended is not here but in the monitor's status file (conmon/protocol).
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver

	"hull.dev/hull/pkg/cleanup"
)

// Store is both files. It is opened on first use and safe for several goroutines.
type Store struct {
	durable, volatile *file
}

// file is one database, opened when first asked for.
type file struct {
	path       string
	migrations []string
	synced     string // how a commit reaches the disk by default (sqlite.org/pragma.html#pragma_synchronous)

	mu sync.Mutex
	db *sql.DB // nil until it is opened
}

// New returns the store of durableDir and volatileDir; nothing is opened or made yet.
func New(durableDir, volatileDir string) *Store {
	return &Store{
		durable:  &file{path: filepath.Join(durableDir, "state.db"), migrations: durableMigrations, synced: "NORMAL"},
		volatile: &file{path: filepath.Join(volatileDir, "state.db"), migrations: volatileMigrations, synced: "OFF"},
	}
}

// Close closes what was opened.
func (s *Store) Close() error { return errors.Join(s.durable.close(), s.volatile.close()) }

// Prepare opens what holds runs while the caller does something else; an error comes back at the first use.
func (s *Store) Prepare(ctx context.Context) {
	go func() { _, _ = s.volatile.open(ctx) }()
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return nil
	}
	return f.db.Close()
}

// exists reports whether the file is there, for readers that must not make one.
func (f *file) exists() bool {
	_, err := os.Stat(f.path)
	return err == nil
}

// open opens the file and brings its schema up to date. A file of a newer hull is refused before anything is written.
func (f *file) open(ctx context.Context) (*sql.DB, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db != nil {
		return f.db, nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("make the state's folder: %w", err)
	}
	if err := f.make(); err != nil {
		return nil, fmt.Errorf("make the state's file: %w", err)
	}
	db, err := sql.Open("sqlite3", "file:"+escape(f.path)+"?_busy_timeout=30000&_txlock=immediate&_foreign_keys=1&_sync="+f.synced)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", f.path, err)
	}
	db.SetMaxOpenConns(1)
	if err := f.migrate(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open state %q: %w", f.path, err)
	}
	// A command ends without closing: the next reads the log anew, so it is kept short.
	if _, err := db.ExecContext(ctx, "PRAGMA wal_autocheckpoint = 64"); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open state %q: %w", f.path, err)
	}
	f.db = db
	return db, nil
}

// make has the file there for its user alone before SQLite, which gives its mode to the files beside it, makes it by the
// umask.
func (f *file) make() error {
	if f.exists() {
		return nil
	}
	made, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return made.Close()
}

// escape makes a path fit for a file: URI (sqlite.org/uri.html).
func escape(path string) string {
	var out []byte
	for i := range len(path) {
		switch c := path[i]; c {
		case '?', '#', '%':
			out = append(out, fmt.Sprintf("%%%02x", c)...)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// tx runs fn in one transaction. A loss of power may take it back.
func (f *file) tx(ctx context.Context, fn func(*sql.Tx) error) error {
	db, err := f.open(ctx)
	if err != nil {
		return err
	}
	return f.within(ctx, db, fn)
}

// sync is tx, on the disk before it returns.
func (f *file) sync(ctx context.Context, fn func(*sql.Tx) error) error {
	db, err := f.open(ctx)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx) // the only one: nobody else's changes come between
	if err != nil {
		return fmt.Errorf("state %q: %w", f.path, err)
	}
	if _, err = conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err == nil {
		err = f.within(ctx, conn, fn)
	}
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	_, undoErr := conn.ExecContext(undo, "PRAGMA synchronous = "+f.synced)
	return errors.Join(err, undoErr, conn.Close())
}

type beginner interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}

func (f *file) within(ctx context.Context, on beginner, fn func(*sql.Tx) error) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("state %q: %w", f.path, err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("state %q: %w", f.path, err)
	}
	return nil
}
