package errs

import (
	"errors"
	"fmt"
	"testing"
)

func TestHint(t *testing.T) {
	err := WithHint(fmt.Errorf("outer: %w", WithHint(errors.New("inner"), "the way out")), "less known")
	if err.Error() != "outer: inner" || Hint(err) != "the way out" {
		t.Errorf("%q, hint %q", err, Hint(err))
	}
	if WithHint(nil, "x") != nil || Hint(errors.New("x")) != "" {
		t.Error("a hint from nothing")
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("x"), 125},
		{WithExit(nil, 3), 3},
		{fmt.Errorf("run: %w", WithExit(errors.New("x"), 127)), 127},
		{NotBuilt("x"), 125},
	} {
		if got := Exit(c.err); got != c.code {
			t.Errorf("Exit(%v) is %d, want %d", c.err, got, c.code)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"attach", "images", "inspect", "ps", "restart", "start", "stats", "stop"}
	for word, want := range map[string]string{
		"atach": "attach", "imags": "images", "strat": "start", "sotp": "stop", "inspct": "inspect", "zzzz": "", "p": "", "xs": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("sotp", words); got != `; did you mean "stop"?` {
		t.Error(got)
	}
}
