package protocol

import "os"

// Empty removes what is in a folder and leaves the folder. Others may be at the same: what is gone already is fine, and what
// cannot be removed is left to the next.
func Empty(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		_ = os.RemoveAll(dir + "/" + name)
	}
}
