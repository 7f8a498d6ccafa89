package registry

import (
	"sync"

	"go.podman.io/image/v5/pkg/sysregistriesv2"
)

// Prepare begins with what most jobs need whatever they are, while hull finds out what to ask for: to read registries.conf, with some
// hundred aliases that a distribution has in it, takes a millisecond.
func Prepare() { go readRegistries() }

// readRegistries has the library read registries.conf and keep it. An error comes again where the file is used.
var readRegistries = sync.OnceFunc(func() { _, _ = sysregistriesv2.GetRegistries(nil) })
