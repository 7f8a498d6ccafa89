package monitor

import "testing"

func TestDetachKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys     string
		in       []string
		out      string
		detached bool
	}{
		"none":        {"", []string{"a\x10\x11"}, "a\x10\x11", false},
		"at once":     {"ctrl-p,ctrl-q", []string{"ab\x10\x11cd"}, "ab", true},
		"in parts":    {"ctrl-p,ctrl-q", []string{"a\x10", "\x11"}, "a", true},
		"not them":    {"ctrl-p,ctrl-q", []string{"a\x10", "b"}, "a\x10b", false},
		"twice first": {"ctrl-p,ctrl-q", []string{"\x10\x10\x11"}, "\x10", true},
		"overlap":     {"a,a,b", []string{"aaab"}, "a", true},
		"longer":      {"a,b,a,c", []string{"ababac"}, "ab", true},
		"symbols":     {"ctrl-],ctrl-@", []string{"x\x1d\x00"}, "x", true},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseDetachKeys(c.keys)
			if err != nil {
				t.Fatal(err)
			}
			k, out, detached := &keyScanner{keys: keys}, "", false
			for _, in := range c.in {
				through, d := k.scan([]byte(in))
				out, detached = out+string(through), d
			}
			if out != c.out || detached != c.detached {
				t.Errorf("through %q, detached %v", out, detached)
			}
		})
	}
	for _, bad := range []string{"ctrl-", "ctrl-!", "ab", "a,,b", "ctrl-pp"} {
		if _, err := ParseDetachKeys(bad); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}
