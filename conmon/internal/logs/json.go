package logs

import (
	"strings"
	"time"
	"unicode/utf8"

	"hull.dev/hull/conmon/internal/stdio"
)

// jsonLines is the format of json-file: docker's JSONLogs, with its order of fields and its escapes.
type jsonLines struct {
	attrs []byte // `,"attrs":{…}` or nothing
}

func (j *jsonLines) record(b []byte, at time.Time, s stdio.Stream, line []byte, whole bool) []byte {
	b = append(b, `{"log":"`...)
	b = appendJSON(b, line)
	if whole {
		b = append(b, `\n`...)
	}
	b = append(append(b, `","stream":"`...), s.String()...)
	b = append(append(b, '"'), j.attrs...)
	b = at.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	return append(b, "\"}\n"...)
}

// keep is the length of a character at the end of which not all bytes are there: written now it would become U+FFFD.
func (*jsonLines) keep(line []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(line); n++ {
		if c := line[len(line)-n:]; utf8.RuneStart(c[0]) {
			if utf8.FullRune(c) {
				return 0
			}
			return n
		}
	}
	return 0
}

// jsonAttrs makes the attrs of all records from KEY=VALUE labels.
func jsonAttrs(labels []string) []byte {
	if len(labels) == 0 {
		return nil
	}
	b := []byte(`,"attrs":{`)
	for i, l := range labels {
		if i > 0 {
			b = append(b, ',')
		}
		key, value, _ := strings.Cut(l, "=")
		b = append(appendJSON(append(b, '"'), []byte(key)), `":"`...)
		b = append(appendJSON(b, []byte(value)), '"')
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendJSON appends p as the inside of a JSON string, as encoding/json writes one.
func appendJSON(b, p []byte) []byte {
	for len(p) > 0 {
		c := p[0]
		if c < utf8.RuneSelf {
			b = appendASCII(b, c)
			p = p[1:]
			continue
		}
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&0xf])
		default:
			b = append(b, p[:n]...)
		}
		p = p[n:]
	}
	return b
}

func appendASCII(b []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, '\\', 'n')
	case c == '\r':
		return append(b, '\\', 'r')
	case c == '\t':
		return append(b, '\\', 't')
	case c == '\b':
		return append(b, '\\', 'b')
	case c == '\f':
		return append(b, '\\', 'f')
	case c < 0x20, c == '<', c == '>', c == '&':
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
	return append(b, c)
}
