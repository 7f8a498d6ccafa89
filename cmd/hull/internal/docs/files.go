package docs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/app"
)

// Folders of the generated files, from the top of the repository. Nothing else is kept in them.
const (
	manDir        = "docs/man"
	completionDir = "contrib/completions"
)

// Files are all generated files of the tree, by path from the top of the repository.
func Files(root *cobra.Command) (map[string]string, error) {
	files := map[string]string{}
	for name, text := range ManPages(root) {
		files[filepath.Join(manDir, name)] = text
	}
	for shell, name := range map[string]string{
		"bash": "bash/hull", "zsh": "zsh/_hull", "fish": "fish/hull.fish", "powershell": "powershell/hull.ps1",
	} {
		var b bytes.Buffer
		if err := app.Completion(root, shell, true, &b); err != nil {
			return nil, fmt.Errorf("completion for %s: %w", shell, err)
		}
		files[filepath.Join(completionDir, name)] = b.String()
	}
	return files, nil
}

// Write puts the files below top and removes those that are generated no more.
func Write(top string, files map[string]string) error {
	stale, err := others(top, files)
	if err != nil {
		return err
	}
	for _, path := range stale {
		if err := os.Remove(filepath.Join(top, path)); err != nil {
			return err
		}
	}
	for path, text := range files {
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Check is an error that names each file below top that is not what Write would leave.
func Check(top string, files map[string]string) error {
	stale, err := others(top, files)
	if err != nil {
		return err
	}
	var wrong []string
	for path, text := range files {
		data, err := os.ReadFile(filepath.Join(top, path))
		if err != nil || string(data) != text {
			wrong = append(wrong, path)
		}
	}
	wrong = append(wrong, stale...)
	slices.Sort(wrong)
	if len(wrong) > 0 {
		return fmt.Errorf("not up to date, run make docs: %v", wrong)
	}
	return nil
}

// others are the files in the generated folders that are not among files.
func others(top string, files map[string]string) ([]string, error) {
	var found []string
	for _, dir := range []string{manDir, completionDir} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(top, path)
			if _, ok := files[rel]; !ok {
				found = append(found, rel)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
