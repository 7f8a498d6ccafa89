// Package leanjson is encoding/json for a program that lives for some milliseconds. encoding/json learns all the types that a value
// could hold before it writes the first, which of runtime-spec's takes half a millisecond; here they are learned of what the value
// holds, most of which is nothing.
package leanjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Marshal is json.Marshal, but for the order of the keys: they are sorted. Of two fields of one name, of which one is embedded, the outer
// has to be the one that is there.
func Marshal(v any) ([]byte, error) { return json.Marshal(tree(reflect.ValueOf(v))) }

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// tree is v as maps and lists of what is in it, which encoding/json writes as it writes v.
func tree(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if t := v.Type(); t.Implements(marshaler) || t.Implements(textMarshaler) {
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return tree(v.Elem())
	case reflect.Struct:
		object := make(map[string]any, v.NumField())
		addFields(object, v)
		return object
	case reflect.Slice:
		if plain(v.Type().Elem()) || v.IsNil() {
			break
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = tree(v.Index(i))
		}
		return list
	case reflect.Map:
		if plain(v.Type().Elem()) || v.IsNil() || v.Type().Key() != reflect.TypeFor[string]() {
			break
		}
		object := make(map[string]any, v.Len())
		for entry := v.MapRange(); entry.Next(); {
			object[entry.Key().String()] = tree(entry.Value())
		}
		return object
	}
	return v.Interface()
}

// plain reports whether encoding/json knows a type without learning it.
func plain(t reflect.Type) bool { return t.Kind() < reflect.Array || t.Kind() == reflect.String }

func addFields(object map[string]any, v reflect.Value) {
	for f, field := range v.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && embedded(f.Type):
			if field = reflect.Indirect(field); field.IsValid() {
				addFields(object, field)
			}
		case f.IsExported() && !left(field, options):
			if name == "" {
				name = f.Name
			}
			object[name] = tree(field)
		}
	}
}

// embedded reports whether the fields of an embedded type are those of what it is embedded in.
func embedded(t reflect.Type) bool {
	if t.Implements(marshaler) || t.Implements(textMarshaler) {
		return false
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// left reports whether the options of a field leave out what is in it.
func left(v reflect.Value, options string) bool {
	if strings.Contains(options, "omitzero") && v.IsZero() {
		return true
	}
	if !strings.Contains(options, "omitempty") {
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
