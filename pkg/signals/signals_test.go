package signals

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]unix.Signal{
		"9": 9, "KILL": 9, "SIGKILL": 9, "kill": 9, "sigKill": 9, "1": 1, "64": 64, "HUP": 1, "TERM": 15, "SIGWINCH": 28,
		"RTMIN": 34, "SIGRTMIN": 34, "rtmin+3": 37, "SIGRTMIN+30": 64, "RTMAX": 64, "RTMAX-0": 64, "SIGRTMAX-30": 34,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := Parse(text); err != nil || got != want {
				t.Errorf("%d, %v, want %d", got, err, want)
			}
		})
	}
	for text, want := range map[string]string{
		"": `no signal ""`, "0": `signal "0" is not between 1 and 64`, "65": `"65"`, "-1": `"-1"`, "SIG": `no signal "SIG"`,
		"TREM": `no signal "TREM"; did you mean "TERM"?`, "RTMIN-1": `"RTMIN-1"`, "RTMIN+31": `"RTMIN+31"`, "RTMAX+1": `"RTMAX+1"`,
		"RTMIN+x": `"RTMIN+x"`, "RTMINI": `"RTMINI"`, "9 ": `"9 "`, "SIGSIGKILL": `"SIGSIGKILL"`,
	} {
		t.Run("refuses "+text, func(t *testing.T) {
			if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d, %v, want an error with %q", got, err, want)
			}
		})
	}
}

func FuzzParseSignal(f *testing.F) {
	for _, seed := range []string{"9", "KILL", "sigrtmin+3", "RTMAX-", "SIGSIG", "RTMIN+9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := Parse(text); err == nil && (got < 1 || got > 64) {
			t.Errorf("%q is signal %d", text, got)
		}
	})
}
