package logs

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)

func newFile(t *testing.T, limit int64, f format) *file {
	t.Helper()
	l, err := openFile(filepath.Join(t.TempDir(), "ctr.log"), limit, f)
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return noon }
	return l
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestK8sFile(t *testing.T) {
	l := newFile(t, 0, k8s{time.UTC})
	l.Write(stdio.Stdout, []byte("one\n\ntwo"))
	l.Write(stdio.Stderr, []byte("err\n"))
	l.Write(stdio.Stdout, []byte(" more\n"))
	l.Close()
	const at = "2026-11-23T12:00:00.000000005+00:00 "
	want := at + "stdout F one\n" + at + "stdout F \n" + at + "stdout P two\n" + at + "stderr F err\n" + at + "stdout F  more\n"
	if got := read(t, l.path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSONFile(t *testing.T) {
	l := newFile(t, 0, &jsonLines{attrs: jsonAttrs([]string{"a=b", "c"})})
	nasty := "\"\\/<>&\t\r\b\f\x00\x1f\x7f é 😀 \u2028 \xff\xfe\n"
	l.Write(stdio.Stdout, []byte(nasty))
	l.Write(stdio.Stderr, []byte("caf\xc3"))
	l.Write(stdio.Stderr, []byte("\xa9 open"))
	l.Close()
	lines := strings.Split(strings.TrimSpace(read(t, l.path)), "\n")
	want := []string{nasty, "caf", "é open"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, line := range lines {
		var got struct {
			Log, Stream string
			Attrs       map[string]string
			Time        time.Time
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got.Log != strings.ToValidUTF8(strings.ReplaceAll(want[i], "\xff\xfe", "\ufffd\ufffd"), "") || got.Attrs["a"] != "b" || !got.Time.Equal(noon) {
			t.Errorf("got %+v, want %q", got, want[i])
		}
	}
	inside, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines[0], `{"log":`+string(inside)+`,"stream":"stdout","attrs":`) {
		t.Errorf("not as encoding/json writes it:\n%s\n%s", lines[0], inside)
	}
}

func TestRotation(t *testing.T) {
	const limit = 2000
	l := newFile(t, limit, k8s{time.UTC})
	written := 0
	var all string
	for i := range 200 {
		text := strings.Repeat("x", i%50) + strconv.Itoa(i) + "\n"
		if i%3 == 0 { // in two pieces: one line
			l.Write(stdio.Stdout, []byte(text[:1]))
			text = text[1:]
		}
		l.Write(stdio.Stdout, []byte(text))
		written++
		if old, err := os.ReadFile(l.path + ".1"); err == nil && len(all) == 0 {
			all = string(old)
		}
	}
	l.Close()
	for _, path := range []string{l.path, l.path + ".1"} {
		text := read(t, path)
		if len(text) > limit || text == "" || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s has %d bytes", path, len(text))
		}
		if lines := strings.Split(strings.TrimSpace(text), "\n"); strings.Contains(lines[len(lines)-1], "stdout P") {
			t.Errorf("%s ends within a line", path)
		}
	}
	// The two files are the end of the log without a gap.
	joined := read(t, l.path+".1") + read(t, l.path)
	if !strings.HasSuffix(joined, "199\n") || strings.Count(joined, " F ") < limit/120 {
		t.Errorf("joined:\n%s", joined)
	}
}

// TestRotationInOneChunk loses nothing when one write holds many lines.
func TestRotationInOneChunk(t *testing.T) {
	l := newFile(t, 400, k8s{time.UTC})
	l.Write(stdio.Stdout, []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"))
	l.Close()
	joined := read(t, l.path+".1") + read(t, l.path)
	for i := range 10 {
		if !strings.Contains(joined, " F "+strconv.Itoa(i)+"\n") {
			t.Errorf("line %d is gone:\n%s", i, joined)
		}
	}
}

// TestFullDisk keeps whole records alone when the file system takes no more.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skip("cannot mount a small file system:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	l, err := openFile(filepath.Join(dir, "log"), 0, k8s{time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		l.Write(stdio.Stdout, []byte(strings.Repeat("y", 100)+"\n"))
	}
	l.Close()
	text := read(t, l.path)
	if !strings.HasSuffix(text, "y\n") || strings.Count(text, "\n") != strings.Count(text, " F y") {
		t.Errorf("the log ends with %q", text[max(0, len(text)-60):])
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	j, err := openJournal(path, &protocol.Request{ID: "0123456789abcdef", Name: "web", LogTag: "tag", LogLabels: []string{"my.label=a\nb"}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	receive := func() map[string]string {
		t.Helper()
		buf, oob := make([]byte, 1<<20), make([]byte, 64)
		n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil {
			t.Fatal(err)
		}
		if oobn > 0 {
			return fields(t, sealed(t, oob[:oobn]))
		}
		return fields(t, buf[:n])
	}
	j.Write(stdio.Stdout, []byte("in pie"))
	j.Write(stdio.Stdout, []byte("ces\n"))
	got := receive()
	for key, want := range map[string]string{
		"MESSAGE": "in pieces", "PRIORITY": "6", "CONTAINER_ID": "0123456789ab", "CONTAINER_ID_FULL": "0123456789abcdef",
		"CONTAINER_NAME": "web", "CONTAINER_TAG": "tag", "SYSLOG_IDENTIFIER": "tag", "MY_LABEL": "a\nb", "CONTAINER_PARTIAL_MESSAGE": "",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	j.Write(stdio.Stderr, []byte("open"))
	j.Flush()
	if got := receive(); got["MESSAGE"] != "open" || got["PRIORITY"] != "3" || got["CONTAINER_PARTIAL_MESSAGE"] != "true" {
		t.Errorf("got %v", got)
	}
	large := strings.Repeat("z", 1<<20)
	j.send(stdio.Stdout, []byte(large), true)
	if got := receive(); got["MESSAGE"] != large {
		t.Errorf("large message: %d bytes", len(got["MESSAGE"]))
	}
}

// sealed reads the memory file in a control message.
func sealed(t *testing.T, oob []byte) []byte {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "memfd")
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return data
}

// fields reads an entry of the native journal protocol.
func fields(t *testing.T, data []byte) map[string]string {
	t.Helper()
	got := map[string]string{}
	for s := string(data); s != ""; {
		i := strings.IndexAny(s, "=\n")
		key := s[:i]
		if s[i] == '=' {
			value, rest, _ := strings.Cut(s[i+1:], "\n")
			got[key], s = value, rest
			continue
		}
		n := int(binary.LittleEndian.Uint64([]byte(s[i+1 : i+9])))
		got[key], s = s[i+9:i+9+n], s[i+9+n+1:]
	}
	return got
}

func FuzzJSONString(f *testing.F) {
	f.Add([]byte("a\"\\\n\x00\xff\u2028é"))
	f.Fuzz(func(t *testing.T, p []byte) {
		want, err := json.Marshal(string(p))
		if err != nil {
			t.Fatal(err)
		}
		if got := `"` + string(appendJSON(nil, p)) + `"`; got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
