package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"

	"hull.dev/hull/pkg/errs"
)

// Options say where to look. The zero value is the process' own user and environment.
type Options struct {
	Root    bool                // read no user's files
	Modules []string            // --module: paths, or names in containers.conf.modules folders
	Getenv  func(string) string // nil: os.Getenv
	Prefix  string              // before /usr/share and /etc, for tests
}

// Warning is something in a file that has no effect.
type Warning struct {
	File string
	Key  string // "containers.log_driver"
	Text string // what is the matter, and the way out: `is not known; did you mean "log_driver"?`
}

func (w Warning) String() string { return fmt.Sprintf("%s: key %q %s", w.File, w.Key, w.Text) }

// Load reads all files. Its error names file and line.
func Load(o Options) (*Config, []Warning, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	c := Default()
	c.set = map[string]string{}
	var warnings []Warning
	files, err := o.files()
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		w, err := c.read(f.path)
		if errors.Is(err, fs.ErrNotExist) && !f.must {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		warnings = append(warnings, w...)
	}
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	return c, append(warnings, c.unbuilt()...), nil
}

// file is one place to look; one that must be there was named by the user.
type file struct {
	path string
	must bool
}

// files are the places in their order.
func (o Options) files() ([]file, error) {
	var files []file
	if path := o.Getenv("CONTAINERS_CONF"); path != "" {
		files = append(files, file{path, true})
	} else {
		files = append(files, file{o.Prefix + "/usr/share/containers/containers.conf", false})
		for _, dir := range append([]string{o.Prefix + "/etc/containers"}, o.userDirs()...) {
			files = append(files, file{dir + "/containers.conf", false})
			more, err := folder(dir + "/containers.conf.d")
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		}
	}
	for _, name := range o.Modules {
		path, err := o.module(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path, true})
	}
	if path := o.Getenv("CONTAINERS_CONF_OVERRIDE"); path != "" {
		files = append(files, file{path, true})
	}
	return files, nil
}

// userDirs is the user's containers folder, or none.
func (o Options) userDirs() []string {
	if o.Root {
		return nil
	}
	if dir := o.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return []string{dir + "/containers"}
	}
	if home := o.Getenv("HOME"); home != "" {
		return []string{home + "/.config/containers"}
	}
	return nil
}

// folder is the *.conf files of a folder by name; a folder that is not there or not readable is an empty one.
func folder(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var files []file
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".conf") && !e.IsDir() {
			files = append(files, file{filepath.Join(dir, e.Name()), false})
		}
	}
	return files, nil
}

// module finds a file given by --module: a path, or a name in the user's, the administrator's, the distribution's folder.
func (o Options) module(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	dirs := append(o.userDirs(), o.Prefix+"/etc/containers", o.Prefix+"/usr/share/containers")
	for i, dir := range dirs {
		dirs[i] = dir + "/containers.conf.modules"
		path := filepath.Join(dirs[i], name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errs.WithHint(errs.NotFound("no such containers.conf module %q", name),
		"give its path, or put it into one of %s", strings.Join(dirs, ", "))
}

// read puts a file over what is there already.
func (c *Config) read(path string) ([]Warning, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	md, err := toml.Decode(withoutComments(string(data)), c)
	if err != nil {
		return nil, errs.Invalid("%s: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	var warnings []Warning
	for _, key := range md.Undecoded() {
		if md.Type(key[:len(key)-1]...) == "Array" {
			continue // {append=true}: List has read it
		}
		// A table that is not known is told once, and not again for each of its keys.
		if parent := key[:len(key)-1]; len(warnings) > 0 && strings.HasPrefix(parent.String()+".", warnings[len(warnings)-1].Key+".") {
			continue
		}
		text := "is not known" + errs.DidYouMean(key[len(key)-1], known(key[:len(key)-1]))
		warnings = append(warnings, Warning{path, key.String(), text})
	}
	for _, key := range md.Keys() {
		c.set[key.String()] = path
	}
	return warnings, nil
}

// withoutComments empties the lines that hold nothing but a comment, most of a distribution's file: decoding takes four
// times as long with them (0.63 ms and 0.14 ms for Debian's). Line numbers stay. A file with multi-line strings is left alone: such a line may be in one.
func withoutComments(text string) string {
	if strings.Contains(text, `"""`) || strings.Contains(text, `'''`) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) / 4)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
			line = "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// known are the keys of the table with this path, for the nearest one.
func known(path []string) []string {
	t := reflect.TypeFor[Config]()
	for _, name := range path {
		if t.Kind() == reflect.Map {
			t = t.Elem()
			continue
		}
		f, ok := field(t, name)
		if !ok {
			return nil
		}
		t = f.Type
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for f := range t.Fields() {
		if key := f.Tag.Get("toml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// field is the struct field of a key.
func field(t reflect.Type, key string) (reflect.StructField, bool) {
	if t.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	for f := range t.Fields() {
		if f.Tag.Get("toml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// value is what a key of a struct is set to; of a key in a map it is the map.
func value(c *Config, key string) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for name := range strings.SplitSeq(key, ".") {
		if v.Kind() != reflect.Struct {
			return v
		}
		f, ok := field(v.Type(), name)
		if !ok {
			return v
		}
		v = v.FieldByIndex(f.Index)
	}
	return v
}
