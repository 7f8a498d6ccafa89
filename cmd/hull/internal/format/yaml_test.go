package format

import (
	"bytes"
	"testing"
)

func TestYAML(t *testing.T) {
	type inner struct {
		A int
		B []string
	}
	v := struct {
		Empty  map[string]any
		List   []inner
		Map    map[string]any
		Nil    []string
		None   []string
		Nested [][]int
	}{
		Empty: map[string]any{}, None: []string{}, Nested: [][]int{{1, 2}, {}},
		List: []inner{{1, []string{"x"}}, {2, nil}},
		Map: map[string]any{
			"bool": true, "colon": "a: b", "dash": "-", "empty": "", "float": 1.5, "flag": "--x", "hash": "a #b", "lines": "one\ntwo",
			"number": "12", "plain": "a word", "quote": `"q"`, "text true": "true", "big": 1e15, "blank": "one\n",
		},
	}
	var b bytes.Buffer
	if err := YAML(&b, v); err != nil {
		t.Fatal(err)
	}
	const want = `Empty: {}
List:
- A: 1
  B:
  - x
- A: 2
  B: null
Map:
  big: 1000000000000000
  blank: "one\n"
  bool: true
  colon: 'a: b'
  dash: "-"
  empty: ""
  flag: --x
  float: 1.5
  hash: 'a #b'
  lines: |-
    one
    two
  number: "12"
  plain: a word
  quote: "\"q\""
  text true: "true"
Nested:
-
  - 1
  - 2
- []
Nil: null
None: []
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
