package format

import (
	"strings"
	"testing"
	"time"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// row is like podman's psReporter: fields and methods.
type row struct { //nolint:recvcheck // templates find the methods of both kinds
	base
	ID      string
	Image   string
	ImageID string
	Names   string
	Mounts  []mount
	State   *state
	Labels  map[string]string
	Any     any
}

type base struct{ Pid int }

type mount struct{ Source string }

type state struct{ Status string }

func (row) Command() string             { return "sleep" }
func (row) Created() string             { return "Less than a second ago" }
func (row) Status() string              { return "Created" }
func (row) Ports() string               { return "" }
func (row) CreatedAt() string           { return "2026-11-23 23:35:48.808643904 +0000 UTC" }
func (r *row) Label(name string) string { return r.Labels[name] }

const psDefault = `table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Created}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}`

func rows() []row {
	return []row{{
		ID: "5ea3854cf31f", Image: "localhost/foo:v1", ImageID: "187fa47c9219", Names: "w",
		Mounts: []mount{{"/a"}, {"/b"}}, State: &state{"created"}, Labels: map[string]string{"k": "v"},
	}}
}

// TestList holds the bytes that podman 4.3.1 printed for the same objects.
func TestList(t *testing.T) {
	headers := map[string]string{"ID": "container id"}
	const head = "CONTAINER ID  IMAGE             COMMAND     CREATED                 STATUS      PORTS       NAMES\n"
	const line = "5ea3854cf31f  localhost/foo:v1  sleep       Less than a second ago  Created                 w\n"
	for name, c := range map[string]struct {
		format    string
		noHeading bool
		want      string
	}{
		"default":           {"", false, head + line},
		"table":             {"table", false, head + line},
		"no heading":        {"", true, line},
		"table, spaces":     {"table {{.ID}} {{.Names}} {{.CreatedAt}}", false, "CONTAINER ID  NAMES       CREATED AT\n5ea3854cf31f  w           2026-11-23 23:35:48.808643904 +0000 UTC\n"},
		"table, tab":        {`table {{.ImageID}} {{.Image}}\t{{.Names}}`, false, "IMAGE ID      IMAGE             NAMES\n187fa47c9219  localhost/foo:v1  w\n"},
		"table, functions":  {`table {{upper .ID}}\t{{json .Image}}  {{.ImageID | printf "%.3s"}}`, false, "CONTAINER ID  \"IMAGE\"                         IMA\n5EA3854CF31F  \"localhost/foo:v1\"              187\n"},
		"table, argument":   {`table {{.Label "k"}} {{.State.Status}}`, false, "LABEL       STATUS\nv           created\n"},
		"plain":             {`{{.ID}}\t{{.Names}}\n--`, false, "5ea3854cf31f\tw\n--\n"},
		"range":             {"{{range .}}{{.ID}}{{end}}", false, "5ea3854cf31f\n"},
		"range and more":    {"{{ range .}}{{.ID}} {{end}}x", false, "5ea3854cf31f x\n"},
		"inner range":       {"{{range .Mounts}}{{.Source}};{{end}}", false, "/a;/b;\n"},
		"range, variable":   {"{{range $i, $m := .Mounts}}{{$i}}{{$m.Source}}{{end}}", false, "0/a1/b\n"},
		"dollar":            {"{{with .State}}{{.Status}}{{$.ID}}{{end}}", false, "created5ea3854cf31f\n"},
		"map":               {"{{.Labels.k}}{{index .Labels \"k\"}}", false, "vv\n"},
		"embedded":          {"{{.Pid}}", false, "0\n"},
		"words":             {`x {{lower "ABC"}} {{split "a,b" ","}}`, false, "x abc [a b]\n"},
		"pad":               {`{{pad .Names 2 3}}|{{truncate .ID 5}}|{{title "ab cd"}}|{{join (split "a b" " ") ","}}`, false, "  w   |5ea38|Ab Cd|a,b\n"},
		"go escape":         {`{{printf "a\nb"}}`, false, "a\nb\n"},
		"ends in line feed": {`{{.ID}}\n`, false, "5ea3854cf31f\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := streams.Test()
			err := List(s, rows(), Listing{Format: c.format, Default: psDefault, Headers: headers, NoHeading: c.noHeading})
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Out.String(); got != c.want {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestListEmpty(t *testing.T) {
	for format, want := range map[string]string{
		"json": "[]\n", "{{ json . }}": "[]\n", "table {{.ID}}": "ID\n", "{{.ID}}": "",
	} {
		s, b := streams.Test()
		if err := List[row](s, nil, Listing{Format: format}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if got := b.Out.String(); got != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
}

func TestWrongTemplate(t *testing.T) {
	for format, want := range map[string]string{
		"{{.Nmaes}}":                           `no field "Nmaes" for --format; did you mean "Names"?`,
		"{{.names}}":                           `no field "names" for --format; did you mean "Names"?`,
		"table {{.ID}} {{.Imgae}}":             `no field "Imgae" for --format; did you mean "Image"?`,
		"{{range .}}{{.Nmaes}}{{end}}":         `no field "Nmaes" for --format; did you mean "Names"?`,
		"{{.State.Foo}}":                       `no field "Foo" for --format; there are Status`,
		"{{range .Mounts}}{{.Sorce}}{{end}}":   `no field "Sorce" for --format; did you mean "Source"?`,
		"{{with $m := .State}}{{$m.X}}{{end}}": `no field "X" for --format; there are Status`,
		"{{if .Idd}}{{end}}":                   `no field "Idd" for --format; did you mean "ID"?`,
		"{{json (.Imag)}}":                     `no field "Imag" for --format; did you mean "Image"?`,
		"{{(.State).Statu}}":                   `no field "Statu" for --format; did you mean "Status"?`,
		"{{.ID.Foo}}":                          `no field "Foo" for --format; the value has no fields`,
		"{{.ID}":                               `--format:1: bad character U+007D '}'; a template looks like '{{.ID}} {{.Name}}'`,
		"{{foo .ID}}":                          `--format:1: function "foo" not defined; a template looks like '{{.ID}} {{.Name}}'`,
		"{{index .Mounts 7}}":                  `--format:1:2: executing "--format" at <index .Mounts 7>: error calling index: index out of range: 7`,
	} {
		s, b := streams.Test()
		err := List(s, rows(), Listing{Format: format})
		if err == nil {
			t.Errorf("%s: printed %q, want an error", format, b.Out)
			continue
		}
		got := err.Error()
		if h := errs.Hint(err); h != "" {
			got += "; " + h
		}
		if got != want {
			t.Errorf("%s: got  %s\nwant %s", format, got, want)
		}
	}
}

func TestObjectAndInspect(t *testing.T) {
	r := rows()[0]
	for name, c := range map[string]struct {
		print func(streams.Streams) error
		want  string
	}{
		"object":            {func(s streams.Streams) error { return Object(s, r.State, "{{.Status}}") }, "created\n"},
		"object json":       {func(s streams.Streams) error { return Object(s, r.State, "json") }, "{\n    \"Status\": \"created\"\n}\n"},
		"method of pointer": {func(s streams.Streams) error { return Object(s, r, `{{.Label "k"}}`) }, "v\n"},
		"inspect":           {func(s streams.Streams) error { return Inspect(s, []*state{r.State}, "") }, "[\n     {\n          \"Status\": \"created\"\n     }\n]\n"},
		"inspect format":    {func(s streams.Streams) error { return Inspect(s, []*state{r.State, r.State}, "{{.Status}}") }, "created\ncreated\n"},
		"inspect json .":    {func(s streams.Streams) error { return Inspect(s, []state{{"<&>"}}, "{{json .Status}}") }, "\"<&>\"\n"},
		"inspect none":      {func(s streams.Streams) error { return Inspect[state](s, nil, "") }, "[]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := streams.Test()
			if err := c.print(s); err != nil {
				t.Fatal(err)
			}
			if got := b.Out.String(); got != c.want {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestFitTerminal(t *testing.T) {
	s, b := streams.TestTerminal(80)
	r := rows()
	r[0].Image = strings.Repeat("é", 60)
	if err := List(s, r, Listing{Default: psDefault, Fit: []string{"Image", "Command"}}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.Out.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 93 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if !strings.Contains(b.Out.String(), strings.Repeat("é", 11)+"…  sleep") {
		t.Errorf("the image is not cut at its least width:\n%s", b.Out)
	}
	s, b = streams.TestTerminal(120)
	if err := List(s, r, Listing{Default: psDefault, Fit: []string{"Image"}}); err != nil {
		t.Fatal(err)
	}
	widest := 0
	for line := range strings.Lines(b.Out.String()) {
		widest = max(widest, len([]rune(strings.TrimRight(line, "\n"))))
	}
	if widest > 120 || widest < 110 {
		t.Errorf("%d columns in a terminal of 120:\n%s", widest, b.Out)
	}
}

func TestIsJSON(t *testing.T) {
	for f, want := range map[string]bool{
		"json": true, " json ": true, "{{json .}}": true, "{{ json . }}": true, "{{json}}": true,
		"{{json .ID}}": false, "table": false, "": false, "{{.}}": false, "jsonx": false, "{{json .": false,
	} {
		if got := IsJSON(f); got != want {
			t.Errorf("IsJSON(%q) = %v", f, got)
		}
	}
}

func TestHuman(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 11331: "11.3 kB", 1240000: "1.24 MB", 999: "999 B", 72600000: "72.6 MB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	if got := SizeBinary(3 << 29); got != "1.5GiB" {
		t.Errorf("SizeBinary = %q", got)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "Less than a second ago", 3 * time.Second: "3 seconds ago", 2 * time.Minute: "2 minutes ago",
		90 * time.Second: "About a minute ago", 26 * time.Hour: "26 hours ago",
	} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("Ago(%v) = %q, want %q", d, got, want)
		}
	}
	if got := Ago(time.Time{}, now); got != "" {
		t.Errorf("Ago(zero) = %q", got)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"ID": "ID", "CreatedAt": "Created At", "PodID": "Pod ID", "CPUPerc": "CPU Perc", "Names": "Names", "ExposedPorts": "Exposed Ports",
	} {
		if got := words(name); got != want {
			t.Errorf("words(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestProgress(t *testing.T) {
	s, b := streams.Test()
	p := NewProgress(s)
	p.Set("a", "a 1 of 2")
	p.Done("a", "a done")
	if got := b.Err.String(); got != "a done\n" {
		t.Errorf("no terminal: %q", got)
	}
	s, b = streams.TestTerminal(6)
	p = NewProgress(s)
	p.Set("a", "a 1 of 2")
	p.Done("a", "a done")
	if got := b.Err.String(); got != "\r\x1b[Ka 1 …\n\x1b[1A\r\x1b[Ka do…\n" {
		t.Errorf("terminal: %q", got)
	}
}

func BenchmarkList1000(b *testing.B) {
	all := make([]row, 1000)
	for i := range all {
		all[i] = rows()[0]
	}
	for b.Loop() {
		s, _ := streams.Test()
		if err := List(s, all, Listing{Default: psDefault}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{psDefault, "{{range .}}{{.ID}}{{end}}", "table {{.Label \"k\"}}", "{{.ID}", "{{$x := .State}}{{$x.Status}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "printf") || strings.Contains(text, "pad") || strings.Contains(text, "range") {
			t.Skip() // a width of 1e9 is what the user asked for
		}
		s, _ := streams.Test()
		_ = List(s, rows(), Listing{Format: text, Default: psDefault})
	})
}
