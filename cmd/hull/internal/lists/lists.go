// Package lists has the flags that may be given several times. They are pflag's StringArray and StringSlice, but for their start:
// those tell a default of nothing by a CSV writer of 4 KB each, and `run` has 40 of them, a seventh of all its memory.
package lists

import (
	"encoding/csv"
	"strings"

	"github.com/spf13/pflag"
)

// Var defines a flag that adds its value to p each time; short is a letter or "".
func Var(fs *pflag.FlagSet, p *[]string, name, short, usage string) {
	fs.VarP(&list{values: p}, name, short, usage)
}

// CommaVar defines one that adds several values at a time: a record of CSV (RFC 4180).
func CommaVar(fs *pflag.FlagSet, p *[]string, name, short, usage string) {
	fs.VarP(&commas{list{values: p}}, name, short, usage)
}

// list is also a cobra.SliceValue: completion offers it again, and who starts hull once more hands on each value.
type list struct {
	values *[]string
	given  bool // what is there is not the default
}

// Set takes the place of what a default has, and adds to what has been given.
func (l *list) Set(value string) error {
	l.add(value)
	return nil
}

func (l *list) add(values ...string) {
	if !l.given {
		*l.values = nil
	}
	l.given = true
	*l.values = append(*l.values, values...)
}

// GetSlice is all that is there.
func (l *list) GetSlice() []string { return *l.values }

// String is for people.
func (l *list) String() string { return "[" + strings.Join(*l.values, ",") + "]" }

// Type is a name that cobra's completion knows.
func (*list) Type() string { return "stringArray" }

type commas struct{ list }

// Set reads one record.
func (c *commas) Set(value string) error {
	if value == "" {
		c.add()
		return nil
	}
	values, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		return err
	}
	c.add(values...)
	return nil
}

// Type is a name that cobra's completion knows.
func (*commas) Type() string { return "stringSlice" }
