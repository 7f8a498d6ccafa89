package format

import (
	"bytes"
	"testing"
)

// What is direct has the bytes of text/template; anything but text and strings is not direct.
func TestDirect(t *testing.T) {
	for text, want := range map[string]bool{
		psDefault:                      true,
		`{{.ID}}: {{.Command}}`:        true,
		"words":                        true,
		"table {{.Names}} {{.Status}}": true,
		"{{.Pid}}":                     false, // a number
		"{{.Labels}}":                  false,
		"{{.State.Status}}":            false,
		"{{upper .ID}}":                false,
		"{{.ID | upper}}":              false,
		"{{with .ID}}{{.}}{{end}}":     false,
		"{{$x := .ID}}{{$x}}":          false,
		"{{range .Mounts}}x{{end}}":    false,
		`{{.Label "k"}}`:               false,
		"{{.}}":                        false,
	} {
		t.Run(text, func(t *testing.T) {
			p, err := parseList(text, typeOf[row]())
			if err != nil {
				t.Fatal(err)
			}
			pieces := direct[row](p.Root)
			if (pieces != nil) != want {
				t.Fatalf("direct: %v, want %v", pieces != nil, want)
			}
			if !want {
				return
			}
			var got, reference bytes.Buffer
			list := rows()
			if err := writeDirect(&got, pieces, list); err != nil {
				t.Fatal(err)
			}
			if err := p.execute(&reference, &list[0]); err != nil {
				t.Fatal(err)
			}
			if got.String() != reference.String() {
				t.Errorf("got %q, want %q", got.String(), reference.String())
			}
		})
	}
}
