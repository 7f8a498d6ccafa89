// Command hello is the program of hull's built-in image: the first container of a new user. It looks around from inside
// and says what it sees. It is static and small, because it is a whole image.
package main

import (
	"os"
	"strings"
)

func main() {
	host, _ := os.Hostname()
	text := `
Hello from a container.

This is what just happened:
  - hull looked for the image "hello" and put it into your image store; it is built into hull, nothing was downloaded.
  - The image's layer was mounted with overlay; what I write lands in a layer of my own and goes with me.
  - ` + identity() + `
  - I am process ` + itoa(os.Getpid()) + ` in a process table of my own, my host name is ` + host + `, and no daemon runs behind this.

To try next:
  hull run --rm -it IMAGE sh                a shell in a container
  hull run -d --name web -p 8080:80 IMAGE   a service; then: hull ps, hull logs web, hull exec -it web sh
  hull load -i FILE                         images from an archive of docker save or podman save
  hull --help                               everything else
`
	if _, err := os.Stdout.WriteString(text[1:]); err != nil {
		os.Exit(1)
	}
}

// identity says what the map of user ids makes of root in here.
func identity() string {
	data, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 3 {
		return "A user namespace keeps my ids apart from yours."
	}
	if fields[0] == "0" && fields[1] == "0" && fields[2] == "4294967295" {
		return "You are root, so I run as the real root, with fewer capabilities and behind a seccomp filter."
	}
	return "In here I am root, uid 0; outside I am uid " + fields[1] + ", because a user namespace maps my ids."
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
