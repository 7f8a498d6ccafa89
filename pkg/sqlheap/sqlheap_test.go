package sqlheap

import (
	"bytes"
	"database/sql"
	"os"
	"regexp"
	"sync"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

// SQLite has more than its room in memory, from several threads at once, gives it back, and has it again: nothing is lost, and
// the rest comes from libc.
func TestMoreThanTheRoom(t *testing.T) {
	var all sync.WaitGroup
	for n := range 3 {
		all.Go(func() { fill(t, byte('a'+n)) })
	}
	all.Wait()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Rss: +6(5[5-9]|[67]\d)\d\d kB`).Match(text) {
		t.Errorf("no mapping of 64 MB that is in use:\n%s", regexp.MustCompile(`(?m)^Rss: +\d{5,} kB`).FindAll(text, -1))
	}
}

func fill(t *testing.T, with byte) {
	t.Helper()
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (n INTEGER PRIMARY KEY, v BLOB)"); err != nil {
		t.Error(err)
	}
	sizes := []int{1, 31, 32, 33, 100, 1000, 4096, 5000, 60000, 131072, 131073, 1 << 20}
	for round := range 2 {
		for n := range 400 {
			if _, err := db.Exec("INSERT INTO t VALUES (?, ?)", n, bytes.Repeat([]byte{with}, sizes[n%len(sizes)])); err != nil {
				t.Error(err)
			}
		}
		for n := range 400 {
			var v []byte
			if err := db.QueryRow("SELECT v FROM t WHERE n = ?", n).Scan(&v); err != nil || !bytes.Equal(v, bytes.Repeat([]byte{with}, sizes[n%len(sizes)])) {
				t.Errorf("round %d: row %d has %d bytes: %v", round, n, len(v), err)
			}
		}
		if _, err := db.Exec("DELETE FROM t; VACUUM"); err != nil {
			t.Error(err)
		}
	}
}
