//go:build !amd64 && !arm64

package jail

const (
	arch    = 0
	foreign = 0
)

var (
	refusedHere []int
	opens       map[int]uint32
)
