package registry

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"hull.dev/hull/pkg/transfer"
)

func TestInspect(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	r := newRig(t)
	look := func() (*transfer.Remote, error) {
		verify := false
		result, err := r.job(transfer.Request{
			Op: transfer.OpInspect, Pull: transfer.Pull{Reference: "docker://" + l.host() + "/x:1"}, Access: transfer.Access{TLSVerify: &verify},
		})
		return result.Remote, err
	}
	got, err := look()
	if err != nil || got.ID != digest.FromBytes(l.config).Encoded() || got.Name != l.host()+"/x:1" || got.Size != int64(len(l.layer)) ||
		!bytes.Equal(got.Manifest, l.manifest) || !bytes.Equal(got.Config, l.config) || !slices.Equal(got.Digests, []string{digest.FromBytes(l.manifest).String()}) {
		t.Errorf("%+v, %v", got, err)
	}
	if slices.ContainsFunc(l.seen, func(s string) bool { return strings.HasSuffix(s, l.layerDigest.String()) }) {
		t.Errorf("the layer was fetched: %q", l.seen)
	}
	r.clean(0)

	config, manifest := l.config, l.manifest
	for want, lie := range map[string]func(){
		"which is more than the": func() {
			l.config = fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","author":%q,"rootfs":{"type":"layers","diff_ids":[]}}`, strings.Repeat("x", maxAnswer))
			l.manifest = bytes.ReplaceAll(manifest, []byte(digest.FromBytes(config)), []byte(digest.FromBytes(l.config)))
			l.manifest = bytes.ReplaceAll(l.manifest, fmt.Appendf(nil, `"size":%d},"layers"`, len(config)), fmt.Appendf(nil, `"size":%d},"layers"`, len(l.config)))
		},
		"it is an artifact and not an image": func() {
			l.manifest = bytes.ReplaceAll(manifest, []byte("application/vnd.oci.image.config.v1+json"), []byte("application/x-thing"))
		},
		"/x:1: unexpected end of JSON": func() { l.manifest = []byte(`{`) },
	} {
		l.config, l.manifest = config, manifest
		lie()
		if _, err := look(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
