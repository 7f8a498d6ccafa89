package server

import (
	"fmt"
	"testing"
)

// The rules of many networks are one transaction, whose answers must fit where the kernel puts them.
func TestManyNetworks(t *testing.T) {
	l := newLab(t)
	for i := range 50 {
		l.on(fmt.Sprintf("c%d", i), testNetwork(i+1))
	}
	if got := len(l.bridges()); got != 50 {
		t.Errorf("%d bridges", got)
	}
}
