package leanjson

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

type inner struct {
	Name string `json:"name,omitempty"`
	Over string `json:"over"`
}

type outer struct {
	inner
	*Other
	Over   int              `json:"over"`
	At     time.Time        `json:"at"`
	Zero   time.Time        `json:"zero,omitzero"`
	Addr   netip.Addr       `json:"addr"`
	Addrs  []netip.Addr     `json:"addrs"`
	Bytes  []byte           `json:"bytes"`
	Any    any              `json:"any"`
	Nil    any              `json:"nil"`
	Map    map[string]inner `json:"map"`
	NilMap map[string]inner `json:"nilMap"`
	Ints   map[int]inner    `json:"ints"`
	List   []*inner         `json:"list"`
	None   []inner          `json:"none"`
	Empty  []inner          `json:"empty"`
	Lists  [][]string       `json:"lists"`
	Pair   [2]inner         `json:"pair"`
	Words  *[]string        `json:"words,omitempty"`
	Number *int             `json:"number,omitempty"`
	Raw    json.RawMessage  `json:"raw"`
	Hidden string           `json:"-"`
	Plain  string
	secret string
	Func   map[string][]inner `json:"func,omitempty"`
}

// Other is embedded by a pointer.
type Other struct {
	More string `json:"more"`
}

func TestMarshal(t *testing.T) {
	zero, words := 0, []string{"<a>", "b"}
	for name, v := range map[string]any{
		"nothing": outer{}, "nil": nil, "nil pointer": (*outer)(nil), "a word": "x", "a list": []outer{{}, {Plain: "p"}},
		"something": &outer{
			inner: inner{Name: "n", Over: "hidden"}, Over: 3, Other: &Other{"m"}, At: time.Unix(1, 2).UTC(), Zero: time.Unix(3, 4).UTC(), Addr: netip.MustParseAddr("::1"),
			Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Bytes: []byte{0, 1, 255}, Any: inner{Name: "in any"},
			Map: map[string]inner{"a": {Name: "x"}, "": {}}, Ints: map[int]inner{1: {}}, List: []*inner{nil, {Name: "y"}}, Empty: []inner{},
			Lists: [][]string{{"a"}, nil, {}}, Pair: [2]inner{{Name: "z"}}, Words: &words, Number: &zero, Raw: json.RawMessage(`{"b":1,"a":2}`),
			Hidden: "h", Plain: "p", secret: "s", Func: map[string][]inner{"k": {{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := json.Unmarshal(got, &a); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(want, &b); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
	if _, err := Marshal(map[string]any{"f": func() {}}); err == nil {
		t.Error("a function is written")
	}
}
