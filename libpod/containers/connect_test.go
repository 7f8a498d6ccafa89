package containers

import (
	"testing"

	"hull.dev/hull/libpod/define"
)

func TestWithout(t *testing.T) {
	list := []define.PortMapping{
		{HostPort: 8080, ContainerPort: 80, Range: 1, Protocol: "tcp"},
		{HostPort: 8080, ContainerPort: 80, Range: 1, Protocol: "udp"},
		{HostPort: 9000, ContainerPort: 90, Range: 3, Protocol: "tcp"},
	}
	for text, want := range map[string]string{
		"8080":      "0.0.0.0:8080->80/udp, 0.0.0.0:9000-9002->90-92/tcp",
		"8080/udp":  "0.0.0.0:8080->80/tcp, 0.0.0.0:9000-9002->90-92/tcp",
		"9000-9002": "0.0.0.0:8080->80/tcp, 0.0.0.0:8080->80/udp",
		"9000":      "", "8081": "", "8080:80": "", "x": "", "": "",
	} {
		got, err := without(list, text)
		if PortText(got) != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v", text, PortText(got), err)
		}
	}
}
