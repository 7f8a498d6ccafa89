package watch

import (
	"encoding/json"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var r restarts
	at := time.Unix(1000, 0)
	for i, want := range []int{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000} {
		r.began(at)
		if got := r.next(at.Add(goodRun - 1)); got != time.Duration(want)*time.Millisecond {
			t.Errorf("wait %d is %v, want %dms", i, got, want)
		}
	}
	r.began(at)
	if got := r.next(at.Add(goodRun)); got != firstBackoff {
		t.Errorf("after a good run: %v", got)
	}
}

func TestLastError(t *testing.T) {
	for name, c := range map[string]struct{ log, want string }{
		"empty": {"", ""},
		"crun":  {`{"msg":"executable file ` + "`x`" + ` not found","level":"error","time":"2026"}` + "\n", "executable file `x` not found"},
		"runc": {
			`{"error":"x","level":"warning","msg":"unable"}` + "\n" + `{"level":"error","msg":"exec: \"x\": \u003cno\u003e \ud83d\ude00\n"}`,
			"exec: \"x\": <no> 😀\n",
		},
		"last":    {`{"msg":"a","level":"error"}` + "\n" + `{"msg":"b","level":"error"}`, "b"},
		"numbers": {`{"n":1,"msg":"a","level":"error"}`, "a"},
		"damage":  {`{"msg":"a","lev`, ""},
		"text":    {"plain words\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lastError([]byte(c.log)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestOOMKills(t *testing.T) {
	if n := oomKills("low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 1\n"); n != 2 {
		t.Errorf("got %d", n)
	}
}

func FuzzLastError(f *testing.F) {
	f.Add("a \"quoted\"\n\u2028 word")
	f.Fuzz(func(t *testing.T, msg string) {
		_ = lastError([]byte(msg))
		line, err := json.Marshal(map[string]string{"level": "error", "msg": msg})
		if err != nil {
			t.Fatal(err)
		}
		var back struct{ Msg string }
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if got := lastError(line); got != back.Msg {
			t.Errorf("got %q, want %q", got, back.Msg)
		}
	})
}
