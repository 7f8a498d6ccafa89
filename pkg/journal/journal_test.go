package journal

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const head = `{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795528985456307",`
	for name, c := range map[string]struct {
		json string
		want Record
	}{
		"stdout":    {`"PRIORITY":"6","MESSAGE":"a \"b\""}`, Record{Message: []byte(`a "b"`)}},
		"stderr":    {`"PRIORITY":"3","MESSAGE":"x"}`, Record{Message: []byte("x"), Stderr: true}},
		"partial":   {`"MESSAGE":"x","CONTAINER_PARTIAL_MESSAGE":"true"}`, Record{Message: []byte("x"), Partial: true}},
		"empty":     {`"MESSAGE":""}`, Record{}},
		"left out":  {`"MESSAGE":null}`, Record{}},
		"bytes":     {`"MESSAGE":[101,114,255,10]}`, Record{Message: []byte("er\xff\n")}},
		"two":       {`"MESSAGE":["a","b"]}`, Record{Message: []byte("b")}},
		"two bytes": {`"MESSAGE":["a",[98,255]]}`, Record{Message: []byte("b\xff")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse([]byte(head + c.json + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Message) != string(c.want.Message) || got.Stderr != c.want.Stderr || got.Partial != c.want.Partial {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got.Cursor != "s=1;i=2" || !got.Time.Equal(time.Unix(1795528985, 456307000)) {
				t.Errorf("cursor %q at %s", got.Cursor, got.Time)
			}
		})
	}
	for _, line := range []string{"", "-- No entries --", `{"MESSAGE":"x"}`, head + `"MESSAGE":{}}`} {
		if _, err := parse([]byte(line)); err == nil {
			t.Errorf("%q is a record", line)
		}
	}
}

func TestRecordsEndWithTheLastWholeLine(t *testing.T) {
	const line = `{"__REALTIME_TIMESTAMP":"1","MESSAGE":"x"}` + "\n"
	n := 0
	err := records(bufio.NewReader(strings.NewReader(line+line+line[:20])), func(Record) error { n++; return nil })
	if err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
	enough := errors.New("enough")
	if err := records(bufio.NewReader(strings.NewReader(line)), func(Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutJournalctlThereIsOneLine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Check(); err == nil || !strings.Contains(err.Error(), "journalctl") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2],"PRIORITY":["3","4"]}`)
	f.Fuzz(func(_ *testing.T, line string) { _, _ = parse([]byte(line)) })
}
