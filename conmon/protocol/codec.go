package protocol

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// field ties one name of a text form to the place its value lives; exactly one pointer is set. One list of fields
// serves both directions, so that what is written can be read.
type field struct {
	key  string
	str  *string
	num  *int64
	flag *bool
	list *[]string
	when *time.Time // as nanoseconds since 1970; the zero time is left out
}

// appendFields calls add for each field that is not zero. A list is one call for each element.
func appendFields(fields []field, add func(key, value string)) {
	for _, f := range fields {
		switch {
		case f.str != nil && *f.str != "":
			add(f.key, *f.str)
		case f.num != nil && *f.num != 0:
			add(f.key, strconv.FormatInt(*f.num, 10))
		case f.flag != nil && *f.flag:
			add(f.key, "1")
		case f.list != nil:
			for _, s := range *f.list {
				add(f.key, s)
			}
		case f.when != nil && !f.when.IsZero():
			add(f.key, strconv.FormatInt(f.when.UnixNano(), 10))
		}
	}
}

// errUnknown is a name that no field has.
var errUnknown = errors.New("unknown field")

// setField stores value in the field called key.
func setField(fields []field, key, value string) error {
	for _, f := range fields {
		if f.key == key {
			return f.set(value)
		}
	}
	return errUnknown
}

func (f field) set(value string) error {
	switch {
	case f.str != nil:
		*f.str = value
		return nil
	case f.list != nil:
		*f.list = append(*f.list, value)
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return errors.New("not a number: " + strconv.Quote(value))
	}
	switch {
	case f.num != nil:
		*f.num = n
	case f.flag != nil:
		*f.flag = n != 0
	case f.when != nil:
		*f.when = time.Unix(0, n)
	}
	return nil
}

// cutField splits "key=value".
func cutField(record string) (key, value string, err error) {
	key, value, ok := strings.Cut(record, "=")
	if !ok || key == "" {
		return "", "", errors.New("not key=value: " + strconv.Quote(record))
	}
	return key, value, nil
}
