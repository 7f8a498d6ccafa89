package containers

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/config"
)

func TestPortText(t *testing.T) {
	for want, ports := range map[string][]define.PortMapping{
		"":                       nil,
		"0.0.0.0:8080->80/tcp":   {{HostPort: 8080, ContainerPort: 80, Range: 1, Protocol: "tcp"}},
		"127.0.0.1:53->53/udp":   {{HostIP: "127.0.0.1", HostPort: 53, ContainerPort: 53, Protocol: "udp"}},
		"0.0.0.0:1-3->11-13/tcp": {{HostPort: 1, ContainerPort: 11, Range: 3, Protocol: "tcp"}},
		"0.0.0.0:1->2/tcp, 1.1.1.1:65534-65535->3-4/tcp": {{HostPort: 1, ContainerPort: 2, Range: 1, Protocol: "tcp"}, {HostIP: "1.1.1.1", HostPort: 65534, ContainerPort: 3, Range: 2, Protocol: "tcp"}},
	} {
		if got := PortText(ports); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "0", "web-1.x_y", "A", strings.Repeat("a", 300)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", ".a", "_a", "a b", "a/b", "..", "a\n", "ä", "a:b"} {
		refused(t, CheckName(name), "is no name for a container")
	}
}

func TestRandomNames(t *testing.T) {
	for name, list := range map[string][]string{"qualities": qualities[:], "vessels": vessels[:]} {
		seen := map[string]bool{}
		for _, word := range list {
			if CheckName(word) != nil || strings.ToLower(word) != word || seen[word] {
				t.Errorf("%s has %q, which is no word of a name or is there twice", name, word)
			}
			seen[word] = true
		}
	}
	for try := range 20 {
		name := randomName(try)
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
		if numbered := name[len(name)-1] <= '9'; numbered != (try >= 10) {
			t.Errorf("try %d gives %q", try, name)
		}
	}
}

func TestCheckAddHost(t *testing.T) {
	for _, text := range []string{"a:1.2.3.4", "a.b:::1", "a:fe80::1", "a:[::1]", "a:host-gateway"} {
		if err := CheckAddHost(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "a", "a:", ":1.2.3.4", "a:b", "a:1.2.3", "a:1.2.3.4:5", "a:1.2.3.4\n"} {
		refused(t, CheckAddHost(text), "is not NAME:ADDRESS")
	}
}

func TestHosts(t *testing.T) {
	base := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(base, []byte("127.0.0.1 localhost # here\n10.9.9.9 printer a host.containers.internal\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Service{Config: &config.Config{}}
	s.Config.Containers.HostContainersIP = "192.0.2.7"
	lines := func(t *testing.T, network, file string, ips ...string) []string {
		t.Helper()
		c := &locked{run: &state.Run{IPs: ips}, Container: &state.Container{Config: define.ContainerConfig{
			ContainerBrief: define.ContainerBrief{Name: "web", Network: network}, Hostname: "box",
			Options: define.CreateOptions{HostsFile: file, AddHosts: []string{"a;b:1.2.3.4", "six:[fe80::1]", "six2:::2", "up:host-gateway"}},
		}}}
		var text string
		if err := s.writeHosts(c, t.TempDir(), func(_, content string, _ os.FileMode) error { text = content; return nil }); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	first := []string{"1.2.3.4\ta b", "fe80::1\tsix", "::2\tsix2", "192.0.2.7\tup"}
	for name, c := range map[string]struct {
		network, file string
		ips, want     []string
	}{
		"without the base's names that are given": {
			"slirp4netns", base,
			[]string{"10.0.2.100", "::3"},
			[]string{"127.0.0.1\tlocalhost", "10.9.9.9\tprinter", "192.0.2.7\thost.containers.internal host.docker.internal", "10.0.2.100\tbox web", "::3\tbox web"},
		},
		"localhost is always there": {
			"none", "none", nil,
			[]string{"127.0.0.1\tlocalhost", "::1\tlocalhost", "192.0.2.7\thost.containers.internal host.docker.internal", "127.0.0.1\tbox web"},
		},
		"the image may have no file": {
			"none", "image", nil,
			[]string{"127.0.0.1\tlocalhost", "::1\tlocalhost", "192.0.2.7\thost.containers.internal host.docker.internal", "127.0.0.1\tbox web"},
		},
		"with the host's network the container has no line": {
			"host", base, nil,
			[]string{"127.0.0.1\tlocalhost", "10.9.9.9\tprinter host.containers.internal", "192.0.2.7\thost.containers.internal host.docker.internal"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(t, c.network, c.file, c.ips...); !slices.Equal(got, append(slices.Clone(first), c.want...)) {
				t.Errorf("%q, want %q", got, append(first, c.want...))
			}
		})
	}
}

func TestResolvConf(t *testing.T) {
	servers := func(list ...string) *[]string { return &list }
	for name, c := range map[string]struct {
		o      define.CreateOptions
		uplink []string
		want   string
	}{
		"what is given stands in for all": {
			define.CreateOptions{DNS: servers("1.1.1.1", "::1"), DNSSearch: []string{"a.b", "c"}, DNSOptions: []string{"ndots:1", "rotate"}},
			[]string{"10.0.2.3"},
			"search a.b c\nnameserver 1.1.1.1\nnameserver ::1\noptions ndots:1 rotate\n",
		},
		"a dot is no search": {
			define.CreateOptions{DNS: servers("127.0.0.1"), DNSSearch: []string{"."}, DNSOptions: []string{"x"}},
			nil,
			"nameserver 127.0.0.1\noptions x\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolvConf(&c.o, &state.Run{DNS: c.uplink})
			if err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("the uplink's server comes first, and none on the host's loopback", func(t *testing.T) {
		got, err := resolvConf(&define.CreateOptions{DNSSearch: []string{"."}}, &state.Run{DNS: []string{"10.0.2.3"}})
		if err != nil || !strings.HasPrefix(got, "nameserver 10.0.2.3\n") || strings.Contains(got, "nameserver 127.") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestEnvironmentLaterOverEarlier(t *testing.T) {
	for _, key := range []string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"} {
		if old, ok := os.LookupEnv(key); ok {
			t.Setenv(key, old) // puts it back at the end
			_ = os.Unsetenv(key)
		}
	}
	t.Setenv("http_proxy", "here")
	s := &Service{Config: config.Default()}
	s.Config.Containers.Env.Values = []string{"CONF=1", "BOTH=conf"}
	image := []string{"BOTH=image", "PATH=/image", "IMAGE=1"}
	const standard = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for name, c := range map[string]struct {
		o     define.CreateOptions
		image []string
		want  []string
	}{
		"podman's where nobody says":        {define.CreateOptions{}, nil, []string{"BOTH=conf", "CONF=1", standard, "container=podman"}},
		"the image over the configuration":  {define.CreateOptions{}, image, []string{"BOTH=image", "CONF=1", "IMAGE=1", "PATH=/image", "container=podman"}},
		"the user over the image":           {define.CreateOptions{Env: []string{"BOTH=user", "BOTH=last"}}, image, []string{"BOTH=last", "CONF=1", "IMAGE=1", "PATH=/image", "container=podman"}},
		"the host's proxy":                  {define.CreateOptions{HTTPProxy: true}, nil, []string{"BOTH=conf", "CONF=1", standard, "container=podman", "http_proxy=here"}},
		"less what is unset":                {define.CreateOptions{UnsetEnv: []string{"BOTH", "container", "NOSUCH"}}, image, []string{"CONF=1", "IMAGE=1", "PATH=/image"}},
		"unset comes before what is set":    {define.CreateOptions{UnsetEnv: []string{"BOTH"}, Env: []string{"BOTH=user"}}, nil, []string{"BOTH=user", "CONF=1", standard, "container=podman"}},
		"a longer name is another":          {define.CreateOptions{UnsetEnv: []string{"IMAG"}, Env: []string{"CO=2"}}, image, []string{"BOTH=image", "CO=2", "CONF=1", "IMAGE=1", "PATH=/image", "container=podman"}},
		"nothing but the user's without it": {define.CreateOptions{UnsetEnvAll: true, HTTPProxy: true, Env: []string{"A=1"}}, image, []string{"A=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.environment(&c.o, c.image)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestExecEnvironment(t *testing.T) {
	base := []string{"A=1", "AB=2", "HOME=/root"}
	for name, c := range map[string]struct {
		o    define.ExecOptions
		home string
		want []string
	}{
		"the container's":            {define.ExecOptions{}, "", base},
		"what is given over it":      {define.ExecOptions{Env: []string{"A=x"}}, "", []string{"AB=2", "HOME=/root", "A=x"}},
		"a name without a value":     {define.ExecOptions{Env: []string{"A"}}, "", []string{"AB=2", "HOME=/root", "A"}},
		"the home of the user named": {define.ExecOptions{}, "/srv", []string{"A=1", "AB=2", "HOME=/srv"}},
		"a terminal has a type":      {define.ExecOptions{TTY: true}, "", append(slices.Clone(base), "TERM=xterm")},
		"which can be given":         {define.ExecOptions{TTY: true, Env: []string{"TERM=vt"}}, "", append(slices.Clone(base), "TERM=vt")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := execEnvironment(slices.Clone(base), &c.o, c.home); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestLogPath(t *testing.T) {
	s := &Service{Dirs: Dirs{Static: "/static"}}
	for name, c := range map[string]struct {
		o    define.CreateOptions
		want string
	}{
		"in the container's folder":    {define.CreateOptions{LogDriver: "k8s-file"}, "/static/containers/id/ctr.log"},
		"also as JSON":                 {define.CreateOptions{LogDriver: "json-file"}, "/static/containers/id/ctr.log"},
		"none for another driver":      {define.CreateOptions{LogDriver: "journald"}, ""},
		"the one that the user wishes": {define.CreateOptions{LogDriver: "k8s-file", LogOptions: map[string]string{"path": "/mine"}}, "/mine"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.logPath(&define.ContainerConfig{ContainerBrief: define.ContainerBrief{ID: "id"}, Options: c.o}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestEach(t *testing.T) {
	t.Run("errors come in the order of the references", func(t *testing.T) {
		refs := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		first, others := make(chan struct{}), atomic.Int32{}
		failed := Each(refs, func(ref string) error {
			if ref == "a" { // ends last
				<-first
			} else if int(others.Add(1)) == len(refs)-1 {
				close(first)
			}
			return errors.New(ref)
		})
		for i, err := range failed {
			if err == nil || err.Error() != refs[i] {
				t.Errorf("%d: %v, want %q", i, err, refs[i])
			}
		}
	})
	t.Run("not more than four at a time", func(t *testing.T) {
		var now, most atomic.Int32
		err := errors.Join(Each(make([]string, 50), func(string) error {
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() { //nolint:revive // the exchange is the work
			}
			now.Add(-1)
			return nil
		})...)
		if err != nil || most.Load() > 4 || most.Load() < 1 {
			t.Errorf("%d at a time, %v", most.Load(), err)
		}
	})
	if err := errors.Join(Each(nil, func(string) error { return errors.New("called") })...); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}

func TestProcessLives(t *testing.T) {
	if !processLives(os.Getpid(), 0) {
		t.Error("this process does not live")
	}
	if processLives(os.Getpid(), 1) {
		t.Error("another start time is taken for this process")
	}
	if processLives(0, 0) || processLives(1<<30, 0) {
		t.Error("a pid that cannot be lives")
	}
}

func TestMet(t *testing.T) {
	for _, c := range []struct {
		status define.Status
		states []string
		want   bool
	}{
		{define.StatusRunning, nil, false},
		{define.StatusExited, nil, true},
		{define.StatusCreated, nil, true},
		{define.StatusInitialized, nil, true},
		{define.StatusPaused, nil, false},
		{define.StatusExited, []string{"stopped"}, true},
		{define.StatusStopped, []string{"exited"}, true},
		{define.StatusCreated, []string{"configured"}, true},
		{define.StatusRunning, []string{"paused", "running"}, true},
		{define.StatusRunning, []string{"paused"}, false},
		{define.StatusCreated, []string{"exited"}, false},
	} {
		if got := met(&define.Container{ContainerState: define.ContainerState{Status: c.status}}, c.states); got != c.want {
			t.Errorf("%s, waited for %q: %v", c.status, c.states, got)
		}
	}
}

func TestExitOfALostContainer(t *testing.T) {
	if e := lostExit(); e.Code != 255 || e.Error == "" || time.Since(e.At) > time.Minute {
		t.Errorf("%+v", e)
	}
}
