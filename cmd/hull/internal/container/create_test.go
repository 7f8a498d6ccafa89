package container

import "testing"

func TestMakesNetwork(t *testing.T) {
	for network, want := range map[string]bool{
		"none": false, "host": false, "container:web": false, "bridge": true, "mynet:ip=10.0.0.9": true, "pasta": true, "slirp4netns": true, "ns:/x": true,
	} {
		if makesNetwork([]string{network}) != want {
			t.Errorf("%s: %v", network, !want)
		}
	}
	if !makesNetwork(nil) || !makesNetwork([]string{"a", "b"}) {
		t.Error("the default, or several")
	}
}
