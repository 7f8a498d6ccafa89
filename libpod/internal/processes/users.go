package processes

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// idRange is one line of /proc/PID/uid_map (user_namespaces(7)): ids from inside on are those from outside on, as the
// user namespace of the reader has them.
type idRange struct{ inside, outside, size int }

func readRanges(path string) []idRange {
	data, _ := os.ReadFile(path)
	return parseRanges(string(data))
}

func parseRanges(text string) []idRange {
	var list []idRange
	for line := range strings.Lines(text) {
		var r idRange
		if n, _ := fmt.Sscan(line, &r.inside, &r.outside, &r.size); n == 3 {
			list = append(list, r)
		}
	}
	return list
}

// toInside is the id in the namespace of the ranges; the kernel's overflow id where it has none.
func toInside(ranges []idRange, id int) int {
	for _, r := range ranges {
		if id >= r.outside && id-r.outside < r.size {
			return r.inside + id - r.outside
		}
	}
	return overflow
}

// toOutside is the id in the namespace around that of the ranges.
func toOutside(ranges []idRange, id int) int {
	for _, r := range ranges {
		if id >= r.inside && id-r.inside < r.size {
			return r.outside + id - r.inside
		}
	}
	return overflow
}

const overflow = 65534

// names are the names of ids in a passwd(5) or group(5) file.
type names map[int]string

func parseNames(file []byte) names {
	n := names{}
	for line := range strings.Lines(string(file)) {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		if id, err := strconv.Atoi(f[2]); err == nil && n[id] == "" {
			n[id] = f[0]
		}
	}
	return n
}

// of is the name of an id, or its number.
func (n names) of(id int) string {
	if name, ok := n[id]; ok {
		return name
	}
	return strconv.Itoa(id)
}
