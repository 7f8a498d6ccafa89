package cleanup

import (
	"context"
	"testing"
	"time"
)

type key struct{}

func TestContextOutlivesACancelledOne(t *testing.T) {
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	cancel()
	ctx, end := Context(parent)
	defer end()
	if err := ctx.Err(); err != nil {
		t.Errorf("it has ended: %v", err)
	}
	if ctx.Value(key{}) != "value" {
		t.Error("the values are lost")
	}
	at, ok := ctx.Deadline()
	if left := time.Until(at); !ok || left > 10*time.Second || left < time.Second {
		t.Errorf("it ends in %v, %v", left, ok)
	}
}
