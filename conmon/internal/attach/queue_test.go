package attach

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

func TestQueueKeepsOrder(t *testing.T) {
	for name, n := range map[string]int{"memory": 100, "file": 4000} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			q := queue{dir: t.TempDir(), limit: 1 << 30}
			defer q.close()
			var in, out []byte
			for i := range n {
				p := bytes.Repeat([]byte{byte(i)}, random.IntN(1000))
				if err := q.push(p); err != nil {
					t.Fatal(err)
				}
				in = append(in, p...)
				if i%3 > 0 {
					continue
				}
				p, err := q.peek()
				if err != nil {
					t.Fatal(err)
				}
				take := random.IntN(len(p) + 1)
				out = append(out, p[:take]...)
				q.drop(take)
			}
			for !q.empty() {
				p, err := q.peek()
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, p...)
				q.drop(len(p))
			}
			if !bytes.Equal(in, out) {
				t.Errorf("%d bytes in, %d out", len(in), len(out))
			}
		})
	}
}

func TestQueueLimit(t *testing.T) {
	q := queue{dir: t.TempDir(), limit: 1 << 20}
	defer q.close()
	p := make([]byte, 64<<10)
	var pushed int
	var err error
	for ; err == nil; pushed += len(p) {
		err = q.push(p)
	}
	if !errors.Is(err, errSpillFull) || pushed < 1<<20 {
		t.Errorf("after %d bytes: %v", pushed, err)
	}
	if len(q.head) > inMemory {
		t.Errorf("%d bytes in memory", len(q.head))
	}
}

// TestQueueGivesBack has a reader that is always behind: the file must not grow with all that went through.
func TestQueueGivesBack(t *testing.T) {
	q := queue{dir: t.TempDir(), limit: 1 << 30}
	defer q.close()
	p := make([]byte, 32<<10)
	for range 64 {
		if err := q.push(p); err != nil {
			t.Fatal(err)
		}
	}
	for range 2000 {
		if err := q.push(p); err != nil {
			t.Fatal(err)
		}
		got, err := q.peek()
		if err != nil {
			t.Fatal(err)
		}
		q.drop(len(got))
	}
	var stat unix.Stat_t
	if err := unix.Fstat(q.file, &stat); err != nil {
		t.Fatal(err)
	}
	if used := stat.Blocks * 512; used > 16<<20 {
		t.Errorf("the file holds %d bytes for 2 MiB unread", used)
	}
}
