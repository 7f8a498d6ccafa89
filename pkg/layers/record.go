package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/lockfile"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// The library makes a container's record only with a layer below, and writes four synced files for the two. A keeper needs
// no layer, and the library allows a record without one (an empty "layer": its own check and removal look for that), so hull
// writes this one record itself: under the library's lock of the file, in the library's type, with all other records
// byte for byte as they were.

const recordsFile = "containers.json"

// recordsHome is where the library has the records of containers.
func (s *Store) recordsHome() string { return filepath.Join(s.options.GraphRoot, "overlay-containers") }

// record is the part of a record that is looked at here.
type record struct {
	ID      string `json:"id"`
	LayerID string `json:"layer"`
}

// record returns a record of the store, or nil.
func (s *Store) record(id string) (*record, error) {
	list, err := s.readRecords()
	if err != nil {
		return nil, err
	}
	for _, raw := range list {
		if r := recordOf(raw, id); r != nil {
			return r, nil
		}
	}
	return nil, nil
}

// recordOf is raw, if it is the record with this id. The bytes are looked at first: most are another's.
func recordOf(raw json.RawMessage, id string) *record {
	var r record
	if bytes.Contains(raw, []byte(id)) && json.Unmarshal(raw, &r) == nil && r.ID == id {
		return &r
	}
	return nil
}

func (s *Store) readRecords() (list []json.RawMessage, err error) {
	path := filepath.Join(s.recordsHome(), recordsFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(data) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return list, nil
}

// addRecord adds a record without a layer to the store. While it holds the lock no image can be removed: whoever does that
// has the same lock. A volatile record need not survive a loss of power. ErrNotFound when the image is gone.
func (s *Store) addRecord(id, imageID, metadata string, volatile bool) error {
	raw, err := json.Marshal(&storage.Container{ID: id, ImageID: imageID, Metadata: metadata, Created: time.Now().UTC()})
	if err != nil {
		return err
	}
	return s.editRecords(func(list []json.RawMessage) ([]json.RawMessage, bool, error) {
		images, err := os.ReadFile(filepath.Join(s.options.GraphRoot, "overlay-images", "images.json"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, false, err
		}
		if !bytes.Contains(images, []byte(`"id":"`+imageID+`"`)) {
			return nil, false, errs.NotFound("image %q is not in the store", short(imageID))
		}
		return append(list, raw), volatile && len(list) == 0, nil
	})
}

// removeRecord removes a record that has no layer.
func (s *Store) removeRecord(id string) error {
	return s.editRecords(func(list []json.RawMessage) ([]json.RawMessage, bool, error) {
		list = slices.DeleteFunc(list, func(raw json.RawMessage) bool { return recordOf(raw, id) != nil })
		return list, len(list) == 0, nil
	})
}

// syncRecords sees to it that the records survive a loss of power.
func (s *Store) syncRecords() error {
	f, err := os.Open(filepath.Join(s.recordsHome(), recordsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// editRecords writes the records anew, as edit has them, and synced unless edit says that they may be lost: a file that a
// loss of power has emptied is read as one without records. Who dies in it leaves the old ones, and a file that the next
// replaces.
func (s *Store) editRecords(edit func([]json.RawMessage) (list []json.RawMessage, volatile bool, err error)) error {
	home := s.recordsHome()
	lock, err := lockfile.GetLockFile(filepath.Join(home, "containers.lock"))
	if err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	list, err := s.readRecords()
	if err != nil {
		return err
	}
	list, volatile, err := edit(list)
	if err != nil {
		return err
	}
	if list == nil {
		list = []json.RawMessage{}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if _, err := lock.RecordWrite(); err != nil { // before the file: then nobody goes on with what was read before
		return err
	}
	draft := filepath.Join(home, ".hull-containers.json")
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && !volatile {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(draft, filepath.Join(home, recordsFile))
}
