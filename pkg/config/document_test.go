package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// document is containers.conf at the top of the repository.
const document = "../../containers.conf"

// keyLine is a key of the document: a # with no space, a name, =.
var keyLine = regexp.MustCompile(`^#(\w+) = ?(.*)$`)

// documented is the document's keys by path, each with the comment above it.
func documented(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	table, comment, inMap := "", "", false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		switch m := keyLine.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "["):
			table, inMap = strings.Trim(line, "[]"), false
			keys[table] = comment
		case strings.HasPrefix(line, "#["):
			if name := strings.Trim(line, "#[]"); name != "" { // "#]" ends a list
				keys[name], inMap = comment, true
			}
		case m != nil && !inMap:
			keys[table+"."+m[1]] = comment
		case strings.HasPrefix(line, "# "):
			comment += line[1:]
		case line == "":
			comment, inMap = "", false
		}
	}
	return keys
}

// keysOf are the paths of all keys and tables that Config has.
func keysOf(t reflect.Type, path string) []string {
	var keys []string
	for f := range t.Fields() {
		key := f.Tag.Get("toml")
		if key == "" {
			continue
		}
		keys = append(keys, path+key)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[List]() {
			keys = append(keys, keysOf(f.Type, path+key+".")...)
		}
	}
	return keys
}

func TestEveryKeyIsDocumented(t *testing.T) {
	keys := documented(t)
	inCode := keysOf(reflect.TypeFor[Config](), "")
	for _, key := range inCode {
		if strings.TrimSpace(keys[key]) == "" {
			t.Errorf("%s: key %s has no words above it", document, key)
		}
		delete(keys, key)
	}
	for key := range keys {
		t.Errorf("%s: there is no key %s", document, key)
	}
}

func TestDocumentSaysWhatIsNotBuilt(t *testing.T) {
	inCode := keysOf(reflect.TypeFor[Config](), "")
	for key, text := range documented(t) {
		if got, want := strings.Contains(text, "Not built yet"), slices.Contains(notBuilt(), key); got != want {
			t.Errorf("%s: key %s: says not built: %v; the code: %v", document, key, got, want)
		}
	}
	for _, key := range slices.Concat(notBuilt(), needless()) {
		if !slices.Contains(inCode, key) {
			t.Errorf("there is no key %s", key)
		}
		if slices.Contains(notBuilt(), key) && slices.Contains(needless(), key) {
			t.Errorf("%s: not built, or never?", key)
		}
	}
	if !slices.IsSorted(notBuilt()) || !slices.IsSorted(needless()) {
		t.Error("the names are not sorted")
	}
}

// TestDocumentedDefaults reads the document with every key uncommented: what comes out is Default.
func TestDocumentedDefaults(t *testing.T) {
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		m := keyLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case m != nil && m[2] == "": // a key with no default
		case strings.HasPrefix(line, "#  ") || !strings.HasPrefix(line, "# ") && strings.HasPrefix(line, "#"):
			text.WriteString(line[1:])
		default:
			text.WriteString(line)
		}
	}
	got := &Config{}
	md, err := toml.Decode(text.String(), got)
	if err != nil {
		t.Fatal(err)
	}
	if u := md.Undecoded(); len(u) > 0 {
		t.Errorf("%s: nothing reads %v", document, u)
	}
	want := Default()
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		g := value(got, key)
		w := value(want, key)
		if g.Kind() == reflect.Struct && g.Type() != reflect.TypeFor[List]() {
			continue
		}
		if fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("%s: %s is\n%v, and in the code\n%v", document, key, g, w)
		}
	}
}

// TestDocumentIsQuiet: the document as it is sets nothing and warns of nothing.
func TestDocumentIsQuiet(t *testing.T) {
	c, warnings, err := Load(Options{Getenv: env("CONTAINERS_CONF", document)})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	c.set = nil
	if !reflect.DeepEqual(c, Default()) {
		t.Error("the document changes defaults")
	}
}
