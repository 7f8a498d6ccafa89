package config

import "fmt"

// List is an array of strings that a later file replaces, or adds to when {append=true} is among the values there or in
// an earlier file; {append=false} ends that (containers.conf(5) of podman 5, "APPENDING TO STRING ARRAYS").
type List struct {
	Values []string

	appends bool // what an earlier file said
}

// UnmarshalTOML takes strings and tables with the key "append" alone.
func (l *List) UnmarshalTOML(data any) error {
	items, ok := data.([]any)
	if !ok {
		return fmt.Errorf("a list of strings is wanted, not %T", data)
	}
	var values []string
	for _, item := range items {
		switch item := item.(type) {
		case string:
			values = append(values, item)
		case map[string]any:
			for k, v := range item {
				on, ok := v.(bool)
				if k != "append" || !ok {
					return fmt.Errorf("the only table in a list is {append=true} or {append=false}, not {%s=%v}", k, v)
				}
				l.appends = on
			}
		default:
			return fmt.Errorf("a list of strings is wanted, and one is the %T %v", item, item)
		}
	}
	if l.appends {
		// A new array: the old one may be another Config's.
		values = append(append([]string(nil), l.Values...), values...)
	}
	l.Values = values
	return nil
}
