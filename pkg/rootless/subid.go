package rootless

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// Range is one line of subuid(5): Count ids from Start on.
type Range struct{ Start, Count int }

// Ranges returns the subordinate ids that file gives to the user, by name or by number. A line that is not well formed
// is passed over, as newuidmap does; a missing file gives nothing.
func Ranges(file, name string, uid int) []Range {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	return parseRanges(bufio.NewScanner(f), name, strconv.Itoa(uid))
}

func parseRanges(lines *bufio.Scanner, name, uid string) []Range {
	var ranges []Range
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 || (fields[0] != name && fields[0] != uid) {
			continue
		}
		start, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil && count > 0 {
			ranges = append(ranges, Range{int(start), int(count)})
		}
	}
	return ranges
}

// Mapped is one line of /proc/PID/uid_map or gid_map.
type Mapped struct{ Inside, Outside, Count int }

// IDMaps returns the maps of the user namespace of a process, its pid or "self": to the ids of this process's namespace, or, of
// its own, to those of the one around it.
func IDMaps(pid string) (uids, gids []Mapped, err error) {
	if uids, err = readMap("/proc/" + pid + "/uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = readMap("/proc/" + pid + "/gid_map")
	return uids, gids, err
}

func readMap(path string) ([]Mapped, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var maps []Mapped
	for line := range strings.Lines(string(data)) {
		var n [3]int
		for i, field := range strings.Fields(line) {
			if n[min(i, 2)], err = strconv.Atoi(field); err != nil {
				return nil, err
			}
		}
		maps = append(maps, Mapped{n[0], n[1], n[2]})
	}
	return maps, nil
}
