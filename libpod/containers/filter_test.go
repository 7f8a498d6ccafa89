package containers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
)

func refused(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("it is taken; want an error with %q", want)
	case strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want one line with %q", err, want)
	}
}

func some() []*define.ListedContainer {
	at := func(hour int) time.Time { return time.Date(2026, 11, 23, hour, 0, 0, 0, time.UTC) }
	list := []*define.ListedContainer{
		{ContainerState: define.ContainerState{Status: define.StatusRunning}},
		{ContainerState: define.ContainerState{Status: define.StatusExited, Exit: define.Exit{Code: 3, At: at(5)}}},
		{ContainerState: define.ContainerState{Status: define.StatusCreated}},
		{ContainerState: define.ContainerState{Status: define.StatusExited, Exit: define.Exit{Code: 0, At: at(6)}}},
	}
	for i, c := range []define.ContainerBrief{
		{
			ID: "aa11", Name: "web", Created: at(1), ImageID: "f00d", ImageName: "docker.io/library/nginx:1.2", Command: []string{"nginx", "-g"},
			Labels: map[string]string{"tier": "front", "app.name": "shop"}, Network: "slirp4netns:mtu=1500",
			Volumes: []define.NamedVolume{{Name: "data", Dest: "/data"}},
		},
		{
			ID: "ab22", Name: "db", Created: at(2), ImageID: "beef", ImageName: "localhost:5000/db", Command: []string{"db"},
			Labels: map[string]string{"tier": "back", "app.owner": "me"}, Network: "none",
		},
		{ID: "bb33", Name: "web-2", Created: at(3), ImageName: "docker.io/library/nginx:latest", Network: "host"},
		{ID: "cc44", Name: "job", Created: at(4), Command: []string{"job"}, Network: "none"},
	} {
		list[i].Config.ContainerBrief = c
	}
	list[0].Config.Options.Restart = "always"
	list[1].Config.Options.Mounts = []define.Mount{{Type: "bind", Source: "/host", Dest: "/inside"}}
	return list
}

func TestFilters(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "web db web-2 job",
		"id=a":                                 "web db",
		"id=AA":                                "web",
		"id=a id=c":                            "web db job",
		"name=web":                             "web web-2",
		"name=^web$":                           "web",
		"name=^w.*2$ name=^j":                  "web-2 job",
		"label=tier":                           "web db",
		"label=tier=front":                     "web",
		"label=tier=":                          "",
		"label=app.*":                          "web db",
		"label=app.* label=tier":               "web db",
		"label=tier label=nosuch":              "",
		"label!=tier":                          "web-2 job",
		"label!=tier=front":                    "db web-2 job",
		"label=tier label!=app.na":             "web db",
		"exited=3":                             "db",
		"exited=0":                             "job",
		"exited=0 exited=3":                    "db job",
		"status=running":                       "web",
		"status=created":                       "web-2",
		"status=configured":                    "web-2",
		"status=stopped":                       "db job",
		"status=exited name=d":                 "db",
		"status=running exited=3":              "",
		"ancestor=nginx":                       "web web-2",
		"ancestor=nginx:1.2":                   "web",
		"ancestor=library/nginx":               "web web-2",
		"ancestor=docker.io/library/nginx:1.2": "web",
		"ancestor=inx":                         "",
		"ancestor=f0":                          "web",
		"ancestor=db":                          "db",
		"ancestor=localhost:5000/db":           "db",
		"before=db":                            "web",
		"since=db":                             "web-2 job",
		"since=ab":                             "web-2 job",
		"before=job since=web":                 "db web-2",
		"until=2026-11-23T02:30:00Z":           "web db",
		"volume=data":                          "web",
		"volume=/data":                         "web",
		"volume=/host":                         "db",
		"volume=/inside":                       "db",
		"network=none":                         "db job",
		"network=slirp4netns":                  "web",
		"command=nginx":                        "web",
		"command=-g":                           "",
		"should-start-on-boot=true":            "web",
		"should-start-on-boot=0":               "db web-2 job",
		"restart-policy=always":                "web",
		"restart-policy=no":                    "db web-2 job",
		"network=host status=created":          "web-2",
	} {
		t.Run(text, func(t *testing.T) {
			all := some()
			match, err := Filters(strings.Fields(text), all)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range all {
				if match(c) {
					got = append(got, c.Config.Name)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q, want %q", strings.Join(got, " "), want)
			}
		})
	}
}

func TestWrongFilterIsRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"name", `"name" is not KEY=VALUE`},
		{"nmae=x", `"nmae" is an invalid filter; did you mean "name"?`},
		{"name!=x", "only label can be negated"},
		{"name=[", "name=["},
		{"exited=x", "exited=x"},
		{"status=runing", `status=runing`},
		{"before=nosuch", `no such container "nosuch"`},
		{"until=soon", `"soon"`},
		{"should-start-on-boot=x", "should-start-on-boot=x"},
		{"restart-policy=allways", `did you mean "always"?`},
		{"health=healthy", "not built yet"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := Filters([]string{c.text}, some())
			refused(t, err, c.want)
		})
	}
}

func FuzzFilters(f *testing.F) {
	for _, seed := range []string{"name=web", "label=a*=b", "label=[", "id=", "=", "until=1h", "ancestor=:", "name=(?i)W"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := some()
		match, err := Filters([]string{text}, all)
		if err == nil {
			_ = slices.ContainsFunc(all, match)
		} else if strings.Count(err.Error(), "\n") > strings.Count(text, "\n") {
			t.Errorf("an error of several lines: %q", err)
		}
	})
}
