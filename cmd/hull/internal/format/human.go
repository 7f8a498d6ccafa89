package format

import (
	"strings"
	"time"
	"unicode"

	"github.com/docker/go-units"
)

// Size is a number of bytes as podman-images(1) prints it: three digits, decimal units, a space: "1.24 MB".
func Size(n int64) string {
	s := SizeShort(n)
	unit := strings.LastIndexFunc(s, unicode.IsNumber) + 1
	return s[:unit] + " " + s[unit:]
}

// SizeShort is Size without the space, as podman-ps(1) --size prints it: "1.24MB".
func SizeShort(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// SizeBinary is a number of bytes in units of 1024, as podman-stats(1) prints limits: "1.5GiB".
func SizeBinary(n int64) string { return units.CustomSize("%.4g%s", float64(n), 1024, binaryUnits()) }

func binaryUnits() []string { return []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} }

// Ago is how long before now t was: "2 minutes ago". A time that is not known ("0001-01-01") is "".
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Duration(now.Sub(t)) + " ago"
}

// Duration is d in its largest unit: "3 seconds", "About a minute", "5 weeks". A clock that went back makes it "Less than
// a second" and not a negative number.
func Duration(d time.Duration) string { return units.HumanDuration(max(d, 0)) }
