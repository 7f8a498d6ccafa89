package ocispec

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestEncode: what the runtime reads is what encoding/json would write, of a spec with nothing, with a bit and with everything in it.
func TestEncode(t *testing.T) {
	full := &specs.Spec{}
	fill(reflect.ValueOf(full).Elem())
	for name, s := range map[string]*specs.Spec{
		"empty": {}, "none": nil, "full": full,
		"some":        {Version: Version, Hostname: "h<&>", Process: &specs.Process{Args: []string{}}, Linux: &specs.Linux{}, Annotations: map[string]string{"a": "b"}},
		"a container": with(t, nil),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "spec", plainJSON(t, got), plainJSON(t, want))
		})
	}
}

func plainJSON(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// fill puts something into everything that a value can hold.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	default:
		if v.CanInt() {
			v.SetInt(1)
		} else if v.CanUint() {
			v.SetUint(1)
		}
	}
}
