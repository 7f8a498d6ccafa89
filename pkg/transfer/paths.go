package transfer

import "path/filepath"

// Absolute makes the paths of a request absolute, because hull-image works in another folder; "" stays "".
func Absolute(paths ...*string) error {
	for _, path := range paths {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = full
	}
	return nil
}
