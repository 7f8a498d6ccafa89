package lists

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What pflag's own make of the same words is the contract.
func TestAsPflag(t *testing.T) {
	for _, words := range [][]string{
		{},
		{"--a", "x", "--s", "x"},
		{"--a", "x,y", "-s", "x,y", "-a", "z", "--s=z"},
		{"--a=", "--s="},
		{"--s=", "--s=x"},
		{"--s", `"a,b",c`},
		{"--s", `"a`},
		{"--a", `"a`},
	} {
		ours, theirs := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
		a, s := []string{"default"}, []string{"default"}
		Var(ours, &a, "a", "a", "")
		CommaVar(ours, &s, "s", "s", "")
		wantA := theirs.StringArrayP("a", "a", []string{"default"}, "")
		wantS := theirs.StringSliceP("s", "s", []string{"default"}, "")
		err, want := ours.Parse(words), theirs.Parse(words)
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Errorf("%q: %v, want %v", words, err, want)
		}
		if !slices.Equal(a, *wantA) || !slices.Equal(s, *wantS) {
			t.Errorf("%q: %q %q, want %q %q", words, a, s, *wantA, *wantS)
		}
		for _, name := range []string{"a", "s"} {
			got, want := ours.Lookup(name), theirs.Lookup(name)
			if got.DefValue != want.DefValue || got.Value.Type() != want.Value.Type() {
				t.Errorf("--%s: %q %s, want %q %s", name, got.DefValue, got.Value.Type(), want.DefValue, want.Value.Type())
			}
			if all, ok := got.Value.(cobra.SliceValue); !ok || !slices.Equal(all.GetSlice(), map[string][]string{"a": a, "s": s}[name]) {
				t.Errorf("--%s: a cobra.SliceValue is %t, or has not all", name, ok)
			}
		}
	}
}
