package registry

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"hull.dev/hull/pkg/transfer"
)

// TestPullsShare: two pulls of one image at once fetch its layer once.
func TestPullsShare(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	r := newRig(t)
	waiting := make(chan struct{})
	var once sync.Once
	l.blob = func(http.ResponseWriter, *http.Request) bool {
		<-waiting // the other has come to the layer
		return false
	}
	verify := false
	pull := func() error {
		q := transfer.Request{
			Op: transfer.OpPull, Pull: transfer.Pull{Reference: l.host() + "/x:1"}, Access: transfer.Access{TLSVerify: &verify},
			Store: transfer.Store{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: "vfs"},
		}
		_, err := handle(t.Context(), q, func(p transfer.Progress) {
			if strings.HasPrefix(p.Text, "Waiting for another pull of blob sha256:") {
				once.Do(func() { close(waiting) })
			}
		}, unconfined)
		return err
	}
	errs := make(chan error, 2)
	for range 2 {
		go func() { errs <- pull() }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	layer := "GET /v2/x/blobs/" + l.layerDigest.String()
	if n := len(slices.DeleteFunc(slices.Clone(l.seen), func(s string) bool { return s != layer })); n != 1 {
		t.Errorf("the layer is fetched %d times: %v", n, l.seen)
	}
	r.clean(1)
}
