package registry

import (
	"io"
	"sync"
)

// coming is the part of a stream by which the one who fills it tells those who read it how far it is.
type coming struct {
	mu   sync.Mutex
	more chan struct{} // closed, and another made, whenever there is more
	err  error         // why there is no more; io.EOF when it is whole
}

// tell wakes the readers. mu is locked.
func (c *coming) tell() {
	close(c.more)
	c.more = make(chan struct{})
}

// end says that no more comes: because of err, or because it is whole.
func (c *coming) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err == nil {
		c.err = io.EOF
	}
	close(c.more)
}
