package ocispec

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Encode is the spec as the runtime reads it. To encoding/json it is maps and lists of what is in it: of the structs it would learn all
// types that they can hold, at each start, where a container has a handful of them.
func Encode(s *specs.Spec) ([]byte, error) { return json.Marshal(tree(reflect.ValueOf(s))) }

// tree is what encoding/json would write of v, a value of runtime-spec's types: none of them has a method of its own for that.
func tree(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Struct:
		object := make(map[string]any, v.NumField())
		addFields(object, v)
		return object
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			break
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = tree(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

func addFields(object map[string]any, v reflect.Value) {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch field := v.Field(i); {
		case name == "": // embedded
			addFields(object, field)
		case options != "omitempty" || !empty(field):
			object[name] = tree(field)
		}
	}
}

// empty is what "omitempty" leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
