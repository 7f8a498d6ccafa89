package ctrflags

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
)

// field returns one field of the options by name.
func field(o define.CreateOptions, name string) any {
	return reflect.ValueOf(o).FieldByName(name).Interface()
}

// filled is what a field holds after a command line.
type filled struct {
	field string
	value any
}

func TestFlagFillsItsField(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]filled{
		"--name web":                       {"Name", "web"},
		"--cidfile ids":                    {"CIDFile", filepath.Join(here, "ids")},
		"--pidfile /p":                     {"PIDFile", "/p"},
		"--conmon-pidfile /p":              {"MonitorPID", "/p"},
		"--stop-signal INT":                {"StopSignal", "INT"},
		"--stop-timeout 0":                 {"StopTimeout", uint(0)},
		"--timeout 7":                      {"Timeout", uint(7)},
		"--restart always":                 {"Restart", "always"},
		"--restart never":                  {"Restart", "no"},
		"--restart on-failure":             {"Restart", "on-failure"},
		"--restart on-failure:3":           {"RestartMax", uint(3)},
		"--rm":                             {"Remove", true},
		"--rmi":                            {"Remove", true},
		"--pull ALWAYS":                    {"Pull", "always"},
		"--pull true":                      {"Pull", "always"},
		"--pull false":                     {"Pull", "never"},
		"--image-volume bind":              {"ImageVolume", "anonymous"},
		"--image-volume tmpfs":             {"ImageVolume", "tmpfs"},
		"--user 1:2":                       {"User", "1:2"},
		"-u root":                          {"User", "root"},
		"-w /x":                            {"Workdir", "/x"},
		"-h box":                           {"Hostname", "box"},
		"--group-add a,b --group-add 3":    {"GroupAdd", []string{"a", "b", "3"}},
		"-l a=b=c -l d":                    {"Labels", map[string]string{"a": "b=c", "d": ""}},
		"--annotation a=b=c":               {"Annotations", map[string]string{"a": "b=c"}},
		"-p 80 -p 1:2,3:4":                 {"Publish", []string{"80", "1:2", "3:4"}},
		"-P":                               {"PublishAll", true},
		"--expose 80/udp":                  {"Expose", []string{"80/udp"}},
		"--network host":                   {"Network", []string{"host"}},
		"--net none":                       {"Network", []string{"none"}},
		"--add-host a:1.2.3.4":             {"AddHosts", []string{"a:1.2.3.4"}},
		"--add-host a:::1":                 {"AddHosts", []string{"a:::1"}},
		"--add-host a:host-gateway":        {"AddHosts", []string{"a:host-gateway"}},
		"--dns 1.1.1.1,::1":                {"DNS", &[]string{"1.1.1.1", "::1"}},
		"--dns none":                       {"DNS", &[]string{"none"}},
		"--dns-search a.b --dns-search .":  {"DNSSearch", []string{"a.b", "."}},
		"--dns-option ndots:1":             {"DNSOptions", []string{"ndots:1"}},
		"--no-hosts":                       {"NoHosts", true},
		"--no-hostname":                    {"NoHostname", true},
		"--ipc host":                       {"IPC", "host"},
		"--pid container:x":                {"PID", "container:x"},
		"--uts host":                       {"UTS", "host"},
		"--cgroupns private":               {"CgroupNS", "private"},
		"--userns keep-id:uid=1,gid=2":     {"UserNS", "keep-id:uid=1,gid=2"},
		"--uidmap 0:1:2,5:6:1":             {"UIDMap", []string{"0:1:2", "5:6:1"}},
		"--gidmap 0:1:2":                   {"GIDMap", []string{"0:1:2"}},
		"--cgroups disabled":               {"Cgroups", "disabled"},
		"--privileged":                     {"Privileged", true},
		"--cap-add a,b --cap-add c":        {"CapAdd", []string{"a", "b", "c"}},
		"--cap-drop all":                   {"CapDrop", []string{"all"}},
		"--security-opt seccomp=a,b":       {"SecurityOpts", []string{"seccomp=a,b"}},
		"--sysctl net.a=1,net.b=2":         {"Sysctl", map[string]string{"net.a": "1", "net.b": "2"}},
		"--ulimit nofile=1:2 --ulimit x=1": {"Ulimits", []string{"nofile=1:2", "x=1"}},
		"--log-driver none":                {"LogDriver", "none"},
		"--log-opt path=/x=y --log-opt max-size=1m": {"LogOptions", map[string]string{"path": "/x=y", "max-size": "1m"}},
		"--detach-keys ctrl-a":                      {"DetachKeys", "ctrl-a"},
		"--entrypoint=":                             {"Entrypoint", &[]string{}},
		"--entrypoint /bin/sh":                      {"Entrypoint", &[]string{"/bin/sh"}},
		`--entrypoint ["a","-b"]`:                   {"Entrypoint", &[]string{"a", "-b"}},
		"--umask 0077":                              {"Umask", "0077"},
		"--tz local":                                {"TZ", "local"},
		"--init":                                    {"Init", true},
		"--read-only":                               {"ReadOnly", true},
		"--read-only-tmpfs=false":                   {"ReadOnlyTmpfs", false},
		"--volumes-from a:ro":                       {"VolumesFrom", []string{"a:ro"}},
		"--passwd=false":                            {"Passwd", false},
		"--passwd-entry x:y":                        {"PasswdEntry", "x:y"},
	} {
		t.Run(line, func(t *testing.T) {
			equal(t, want.field, field(must(t, strings.Fields(line)...), want.field), want.value)
		})
	}
}

func TestWrongFlagIsRefused(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"--replace", "--name"},
		{"--restart always:3", `"always:3"`},
		{"--restart on-failure:x", `"on-failure:x"`},
		{"--restart on-failure:-1", `"on-failure:-1"`},
		{"--restart on-failure:", `"on-failure:"`},
		{"--pull alwasy", `--pull "alwasy"; did you mean "always"?`},
		{"--image-volume x", `--image-volume "x"`},
		{"--entrypoint [", `--entrypoint "["`},
		{"--entrypoint [1]", `--entrypoint "[1]"`},
		{"--preserve-fds 2000", "2000"},
		{"--preserve-fd 1", "--preserve-fd 1"},
		{"--preserve-fds 1 --preserve-fd 3", "cannot be used together"},
		{"--preserve-fd 1023", "file descriptor 1023 is not open"},
		{"--annotation =x", `--annotation "=x"`},
		{"--annotation x", `--annotation "x"`},
		{"--add-host a", `--add-host "a"`},
		{"--add-host a:b", `--add-host "a:b"`},
		{"--add-host :1.1.1.1", `--add-host ":1.1.1.1"`},
		{"--no-hosts --add-host a:1.1.1.1", "--no-hosts and --add-host"},
		{"--dns x", `--dns "x"`},
		{"--dns none,1.1.1.1", `--dns "none"`},
		{"--uts host --hostname x", "--hostname"},
		{"--sysctl a", `--sysctl "a"`},
		{"--sysctl =a", `--sysctl "=a"`},
		{"--log-opt max-size", `--log-opt "max-size"`},
		{"--log-opt =1", `--log-opt "=1"`},
	} {
		t.Run(c.line, func(t *testing.T) { refused(t, c.want, strings.Fields(c.line)...) })
	}
}

func TestLabelWinsOverItsFile(t *testing.T) {
	path := file(t, "# a comment\na=file\nb=file\n\nc\n")
	o := must(t, "--label-file", path, "--label", "a=flag")
	equal(t, "labels", o.Labels, map[string]string{"a": "flag", "b": "file", "c": ""})
}

func TestConfigurationHoldsWhereNoFlagSays(t *testing.T) {
	c := config.Default()
	set := &c.Containers
	set.Ipcns, set.Pidns, set.Utsns, set.Cgroupns, set.Userns, set.Cgroups = "host", "host", "private", "host", "keep-id", "disabled"
	set.Netns, set.LogDriver, set.TZ, set.Umask, set.HTTPProxy, set.Init = "host", "json-file", "UTC", "0077", false, true
	set.DNSServers.Values, set.DNSSearches.Values, set.DNSOptions.Values = []string{"9.9.9.9"}, []string{"s"}, []string{"o"}
	set.Annotations.Values = []string{"a=conf", "b=conf"}
	set.NoHosts = true
	c.Engine.StopTimeout, c.Engine.DetachKeys = 3, "ctrl-x"
	for _, c2 := range []struct {
		args []string
		want map[string]any
	}{
		{nil, map[string]any{
			"IPC": "host", "PID": "host", "CgroupNS": "host", "UserNS": "keep-id", "Cgroups": "disabled", "Network": []string{"host"},
			"LogDriver": "json-file", "TZ": "UTC", "Umask": "0077", "HTTPProxy": false, "Init": true, "DNS": &[]string{"9.9.9.9"},
			"DNSSearch": []string{"s"}, "DNSOptions": []string{"o"}, "NoHosts": true, "StopTimeout": uint(3), "DetachKeys": "ctrl-x",
		}},
		{
			[]string{
				"--ipc=private", "--pid=private", "--cgroupns=private", "--userns=host", "--cgroups=enabled", "--network=none", "--log-driver=none",
				"--tz=local", "--umask=0", "--http-proxy", "--dns=1.1.1.1", "--dns-search=t", "--dns-option=p", "--stop-timeout=10",
				"--detach-keys=ctrl-p", "--annotation=a=flag",
			},
			map[string]any{
				"IPC": "private", "PID": "private", "CgroupNS": "private", "UserNS": "host", "Cgroups": "enabled", "Network": []string{"none"},
				"LogDriver": "none", "TZ": "local", "Umask": "0", "HTTPProxy": true, "DNS": &[]string{"1.1.1.1"}, "DNSSearch": []string{"t"},
				"DNSOptions": []string{"p"}, "StopTimeout": uint(10), "DetachKeys": "ctrl-p", "Annotations": map[string]string{"a": "flag", "b": "conf"},
			},
		},
		{[]string{"--uidmap=0:0:1"}, map[string]any{"UserNS": ""}},
	} {
		o, err := parseWith(t, c, c2.args...)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range c2.want {
			equal(t, name, field(o, name), want)
		}
	}
}

func TestPreservedDescriptorsAreOpen(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	got, err := PreserveFDs(0, []uint{uint(w.Fd())})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "descriptors", got, []uint{uint(w.Fd())})
}

func FuzzEntrypoint(f *testing.F) {
	for _, seed := range []string{"", "/bin/sh", `["a","b"]`, "[", " [null]", `{"a":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := Entrypoint(text)
		if err != nil {
			checkLine(t, err)
		} else if text != "" && !strings.HasPrefix(strings.TrimSpace(text), "[") && !reflect.DeepEqual(words, []string{text}) {
			t.Errorf("%q is %q", text, words)
		}
	})
}

func FuzzPairs(f *testing.F) {
	for _, seed := range []string{"", "a", "a=b", "=b", "a=b=c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := Pairs("--label", []string{text})
		if err != nil {
			checkLine(t, err)
			return
		}
		for key, value := range pairs {
			if key == "" || (text != key && text != key+"="+value) {
				t.Errorf("%q is %q=%q", text, key, value)
			}
		}
	})
}

func FuzzRestart(f *testing.F) {
	for _, seed := range []string{"", "no", "on-failure:3", "on-failure:", "always:1", ":"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parse(t, "--restart="+text)
		if err != nil {
			checkLine(t, err)
		} else if o.RestartMax > 0 && o.Restart != "on-failure" {
			t.Errorf("%q: %d retries of %q", text, o.RestartMax, o.Restart)
		}
	})
}
