package monitor

import (
	"strings"

	"hull.dev/hull/pkg/errs"
)

// ParseDetachKeys reads podman's --detach-keys: characters or ctrl- with one of a-z @ [ \ ] ^ _, with commas between. ""
// is no keys at all.
func ParseDetachKeys(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	var keys []byte
	for word := range strings.SplitSeq(s, ",") {
		key, control := strings.CutPrefix(strings.ToLower(word), "ctrl-")
		switch {
		case control && len(key) == 1 && key[0] >= 'a' && key[0] <= 'z':
			keys = append(keys, key[0]-'a'+1)
		case control && len(key) == 1 && strings.Contains(`@[\]^_`, key):
			keys = append(keys, key[0]-'@')
		case !control && len(word) == 1:
			keys = append(keys, word[0])
		default:
			return nil, errs.Invalid("detach keys %q: %q is neither one character nor ctrl- and one of a-z @ [ \\ ] ^ _", s, word)
		}
	}
	return keys, nil
}

// keyScanner finds the detach keys in what is typed. Bytes that may be the beginning of them are kept back until the next
// ones show what they are.
type keyScanner struct {
	keys    []byte
	matched int
}

// scan returns what of p may go to the container, and whether the keys are complete.
func (k *keyScanner) scan(p []byte) (through []byte, detached bool) {
	if len(k.keys) == 0 {
		return p, false
	}
	for _, b := range p {
		for k.matched > 0 && b != k.keys[k.matched] {
			// The longest end of what was kept back that is a beginning of the keys; the rest goes through.
			shorter := k.matched - 1
			for shorter > 0 && string(k.keys[:shorter]) != string(k.keys[k.matched-shorter:k.matched]) {
				shorter--
			}
			through = append(through, k.keys[:k.matched-shorter]...)
			k.matched = shorter
		}
		if b != k.keys[k.matched] {
			through = append(through, b)
			continue
		}
		if k.matched++; k.matched == len(k.keys) {
			return through, true
		}
	}
	return through, false
}
