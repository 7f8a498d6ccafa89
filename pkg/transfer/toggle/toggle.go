// Package toggle reads environment variables that turn off what is on.
package toggle

import (
	"os"

	"hull.dev/hull/pkg/errs"
)

// On is false when the variable is "off". Another value than "on", "off" and "" is an error.
func On(variable string) (bool, error) {
	switch value := os.Getenv(variable); value {
	case "", "on":
		return true, nil
	case "off":
		return false, nil
	default:
		return false, errs.Invalid("%s=%q is neither on nor off", variable, value)
	}
}
