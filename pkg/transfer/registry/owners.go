package registry

import (
	"errors"
	"fmt"
	"regexp"

	"hull.dev/hull/pkg/errs"
)

// noSuchOwner is how the storage library says that a file belongs to an id which the user namespace has not got.
var noSuchOwner = regexp.MustCompile(`potentially insufficient UIDs or GIDs available in (?:the )?user namespace \(requested (\d+:\d+) for (.*?)\): Check .*`)

// owners tells such an error in hull's words, with hull's way out.
func owners(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	at := noSuchOwner.FindStringSubmatchIndex(text)
	if at == nil {
		return err
	}
	owner, path := text[at[2]:at[3]], text[at[4]:at[5]]
	return errs.WithHint(errors.New(text[:at[0]]+fmt.Sprintf("%q belongs to %s, and the user namespace has no such ids", path, owner)),
		"as root, give the user that many in /etc/subuid and /etc/subgid; then: hull system migrate")
}
