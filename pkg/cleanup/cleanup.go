// Package cleanup gives undo steps a context of their own: the caller's may be cancelled already, which is often why
// there is something to undo.
package cleanup

import (
	"context"
	"time"
)

// Context returns a context with ctx's values, not its cancellation, that ends after ten seconds.
func Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}
