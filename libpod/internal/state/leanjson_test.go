package state

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/leanjson"
)

// TestLeanJSON: what goes into the rows and to the runtime is what encoding/json would write, with nothing and with everything in it.
func TestLeanJSON(t *testing.T) {
	for _, v := range []any{&define.ContainerConfig{}, &define.ListedConfig{}, &Run{}, &specs.Spec{}} {
		for _, full := range []bool{false, true} {
			if full {
				fill(reflect.ValueOf(v).Elem())
			}
			got, err := leanjson.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(plainJSON(t, got), plainJSON(t, want)) {
				t.Errorf("%T: %s\nwant %s", v, got, want)
			}
		}
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
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 2)))
			return
		}
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
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
