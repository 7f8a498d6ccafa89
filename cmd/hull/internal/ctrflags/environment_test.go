package ctrflags

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("HULL_TEST_A", "here")
	t.Setenv("HULL_TEST_B", "x=y")
	for name, c := range map[string]struct {
		file string
		env  []string
		want []string
	}{
		"a value may hold =":                      {env: []string{"A=b=c"}, want: []string{"A=b=c"}},
		"an empty value is a value":               {env: []string{"A="}, want: []string{"A="}},
		"a name alone takes the value here":       {env: []string{"HULL_TEST_A"}, want: []string{"HULL_TEST_A=here"}},
		"a name that is not set here is left out": {env: []string{"HULL_TEST_NONE"}},
		"a star takes all that begin so":          {env: []string{"HULL_TEST_*"}, want: []string{"HULL_TEST_A=here", "HULL_TEST_B=x=y"}},
		"a star behind = is text":                 {env: []string{"A=HULL*"}, want: []string{"A=HULL*"}},
		"a file has comments and empty lines":     {file: "# no\n\nA=1\n  B=2\r\n", want: []string{"A=1", "B=2"}},
		"a file's last line needs no end":         {file: "A=1\nB=2", want: []string{"A=1", "B=2"}},
		"a file's value keeps spaces and quotes":  {file: "A=\"x  y\" \n", want: []string{"A=\"x  y\" "}},
		"a file's value may hold #":               {file: "A=b#c\n", want: []string{"A=b#c"}},
		"a file can name what is here":            {file: "HULL_TEST_A\n", want: []string{"HULL_TEST_A=here"}},
		"a name may hold white space":             {file: "A B=1\n", env: []string{"C\tD =2"}, want: []string{"A B=1", "C\tD =2"}},
		"white space before a name is dropped":    {env: []string{" \tA=1"}, want: []string{"A=1"}},
		"the flag comes after the file":           {file: "A=file\n", env: []string{"A=flag"}, want: []string{"A=file", "A=flag"}},
	} {
		t.Run(name, func(t *testing.T) {
			var files []string
			if c.file != "" {
				files = []string{file(t, c.file)}
			}
			got, err := Environment(c.env, files)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWrongEnvironmentIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":            {[]string{"-e", "=x"}, `"=x" has no name`},
		"only white space":   {[]string{"-e", " =x"}, `"=x" has no name`},
		"a NUL byte":         {[]string{"-e", "A=\x00"}, `"A" holds a NUL byte`},
		"a file not there":   {[]string{"--env-file", "/nonexistent/env"}, "--env-file: open /nonexistent/env"},
		"no name in a file":  {[]string{"--env-file", file(t, "A=1\n=x\n")}, "entry 2"},
		"a NUL in a file":    {[]string{"--env-file", file(t, "A=\x00\n")}, "NUL byte"},
		"no name of a label": {[]string{"--label", "=x"}, `--label "=x"`},
		"a label file's":     {[]string{"--label-file", file(t, "=x")}, `--label-file "=x"`},
		"label file missing": {[]string{"--label-file", "/nonexistent/labels"}, "--label-file: open /nonexistent/labels"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.want, c.args...) })
	}
}

func TestEnvironmentFlags(t *testing.T) {
	t.Setenv("HULL_TEST_A", "here")
	t.Run("env-host comes before what is given", func(t *testing.T) {
		o := must(t, "--env-host", "-e", "HULL_TEST_A=given")
		host, given := slices.Index(o.Env, "HULL_TEST_A=here"), slices.Index(o.Env, "HULL_TEST_A=given")
		if host < 0 || given < host {
			t.Errorf("host at %d, given at %d", host, given)
		}
	})
	t.Run("an empty -e asks for nothing", func(t *testing.T) {
		equal(t, "env", len(must(t, "-e", "").Env), 0)
	})
	t.Run("without env-host nothing of the host comes in", func(t *testing.T) {
		equal(t, "env", len(must(t).Env), 0)
	})
	t.Run("unset and proxy are handed on", func(t *testing.T) {
		o := must(t, "--unsetenv", "A", "--unsetenv", "B", "--unsetenv-all", "--http-proxy=false")
		equal(t, "unset", o.UnsetEnv, []string{"A", "B"})
		if !o.UnsetEnvAll || o.HTTPProxy {
			t.Errorf("all %v, proxy %v", o.UnsetEnvAll, o.HTTPProxy)
		}
	})
}

// What comes out is what the kernel takes: NAME=VALUE, the name not empty, no NUL byte.
func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{"A=1\n", "=\n", "#A\n\r\n B", "HOME\n*", "A\x00=1", " \t= "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Environment(nil, []string{file(t, text)})
		if err != nil {
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		for _, e := range got {
			if i := strings.IndexByte(e, '='); i < 1 || strings.Contains(e, "\x00") {
				t.Errorf("%q is no variable", e)
			}
		}
	})
}
