package watch

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// lastError returns the message of the last error in a runtime's --log of format json, or "". Both runtimes write one
// object a line, of strings only; that much JSON is read here, since encoding/json is larger than the monitor.
func lastError(log []byte) string {
	last := ""
	for line := range strings.Lines(string(log)) {
		level, msg := "", ""
		rest := line
		for {
			key, value, more, ok := nextPair(rest)
			if !ok {
				break
			}
			switch key {
			case "level":
				level = value
			case "msg":
				msg = value
			}
			rest = more
		}
		if msg != "" && (level == "error" || level == "fatal") {
			last = msg
		}
	}
	return last
}

// nextPair finds the next "key":"value" of a flat object.
func nextPair(s string) (key, value, rest string, ok bool) {
	if key, s, ok = jsonString(s); !ok {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, ":") {
		return "", "", "", false
	}
	s = strings.TrimLeft(s[1:], " \t")
	if !strings.HasPrefix(s, `"`) { // a number or the like: passed over
		return key, "", s, true
	}
	value, rest, ok = jsonString(s)
	return key, value, rest, ok
}

// jsonString reads the first string of s and returns what follows it.
func jsonString(s string) (value, rest string, ok bool) {
	_, s, ok = strings.Cut(s, `"`)
	if !ok {
		return "", "", false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			n := unescape(&b, s[i+1:])
			if n == 0 {
				return "", "", false
			}
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// unescape reads the rest of an escape after its backslash; 0: it is not one.
func unescape(b *strings.Builder, s string) int {
	if s == "" {
		return 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[0]); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return 1
	}
	r, ok := hex4(s)
	if !ok {
		return 0
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(strings.TrimPrefix(s[5:], `\`)); ok && strings.HasPrefix(s[5:], `\`) {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				b.WriteRune(both)
				return 11
			}
		}
	}
	b.WriteRune(r)
	return 5
}

// hex4 reads uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:5], 16, 16)
	return rune(n), err == nil
}
