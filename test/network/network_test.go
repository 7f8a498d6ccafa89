// Package network runs real services on a network of an ordinary user's: nginx, postgres and a client out of Debian's packages find
// each other by name, are reached from another machine, and go on when hull-net is killed.
//
//	make network
//
// The root file system is made by mmdebstrap, once, which takes a minute or two (debian_test.go).
package network

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/test/env"
)

// archive is the root file system in the base folder.
const archive = "debian.tar"

func TestNetwork(t *testing.T) {
	if base, _, ok := env.FromEnvironment(); ok {
		services(t, base)
		return
	}
	suite := env.Open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self = suite.Copy(t, self)
	out, err := exec.CommandContext(t.Context(), "install", "-m", "644", debian(t, suite.Repository), filepath.Join(suite.Base, archive)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	args := []string{self, "-test.run=^TestNetwork$"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := suite.Command(t.Context(), t, env.Profile{Identity: "user", Runtime: "crun"}, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("as the user: %v", err)
	}
}

const (
	// patience is what a service may take to come up on a machine with much else to do.
	patience = 60 * time.Second
	// back is what hull-net may take to be back after a kill.
	back = 2 * time.Second
)

// proxy is nginx's configuration: it proxies to the container app by its name. A client that has sent all still waits.
const proxy = `
events {}
pid /run/nginx.pid;
http {
	access_log /dev/stdout;
	proxy_ignore_client_abort on;
	server {
		listen 80;
		listen [::]:80;
		location / { proxy_pass http://app; }
	}
}
`

// database makes a cluster of databases and serves it, as Debian's user postgres.
const database = `set -e
bin=$(echo /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/data
$bin/initdb -D $data -A trust --no-sync >/dev/null
echo 'host all all all trust' >>$data/pg_hba.conf
exec $bin/postgres -D $data -F -c listen_addresses='*' -c unix_socket_directories=`

// services is the whole story.
func services(t *testing.T, base string) {
	t.Helper()
	b := &box{Sandbox: env.NewSandbox(t), t: t, base: base}
	b.up()
	b.reach(patience)
	s := b.open()
	s.ask("select 6 * 7", "42")
	before := s.ask("select pg_backend_pid()", "")

	pid := b.hullNet()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.reach(back)
	if now := b.hullNet(); now == pid {
		t.Errorf("hull-net is %d, which was killed", now)
	}
	s.ask("select pg_backend_pid()", before)
	b.elsewhere()
	s.ask("select pg_backend_pid()", before)
	s.close()
	b.log()
	b.down()
}

// box is the sandbox that the services run in.
type box struct {
	*env.Sandbox
	t    *testing.T
	base string
}

func (b *box) must(args ...string) string {
	b.t.Helper()
	out, err := b.Hull(b.t, args...)
	if err != nil {
		b.t.Fatalf("hull %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// up starts the services on a network of their own.
func (b *box) up() {
	b.t.Helper()
	b.must("import", filepath.Join(b.base, archive), "debian")
	b.must("network", "create", "--ipv6", "shop")
	config := filepath.Join(b.Dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(proxy), 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.must("run", "-d", "--name", "db", "--network", "shop", "--user", "postgres", "debian", "sh", "-c", database)
	b.must("run", "-d", "--name", "app", "--network", "shop", "debian", "nginx", "-g", "daemon off;")
	b.must("run", "-d", "--name", "web", "--network", "shop", "-p", b.port()+":80", "-v", config+":/etc/nginx/nginx.conf:ro",
		"debian", "nginx", "-g", "daemon off;")
	b.must("run", "-d", "--name", "client", "--network", "shop", "debian", "sleep", "infinity")
	b.t.Cleanup(func() {
		if !b.t.Failed() {
			return
		}
		for _, name := range []string{"db", "app", "web"} {
			out, _ := b.Hull(b.t, "logs", name)
			b.t.Logf("%s:\n%s", name, out)
		}
	})
}

func (b *box) port() string { return strconv.Itoa(b.Ports[0]) }

// reach waits until everybody reaches whom they should, within the limit: the client the database and nginx by their names, and
// another machine nginx over both families.
func (b *box) reach(limit time.Duration) {
	b.t.Helper()
	start := time.Now()
	missing := map[string]func() (string, error){
		"psql": func() (string, error) {
			return b.Hull(b.t, "exec", "client", "psql", "-h", "db", "-U", "postgres", "-tAc", "select 'Welcome to nginx'")
		},
		"curl": func() (string, error) {
			return b.Hull(b.t, "exec", "client", "curl", "-sS", "--max-time", "5", "http://web/")
		},
		"ipv4": func() (string, error) { return b.fromLan(env.HostIP) },
		"ipv6": func() (string, error) { return b.fromLan("[" + env.HostIP6 + "]") },
	}
	said := map[string]string{}
	for time.Since(start) < limit {
		for name, try := range missing {
			out, err := try()
			if said[name] = fmt.Sprintf("%s (%v)", out, err); err == nil && strings.Contains(out, "Welcome to nginx") {
				delete(missing, name)
			}
		}
		if len(missing) == 0 {
			b.t.Logf("all is reached after %s", time.Since(start))
			return
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // polls, until a deadline
	}
	for name := range missing {
		b.t.Errorf("%s: not within %s: %s", name, limit, said[name])
	}
	b.t.FailNow()
}

// elsewhere is a laptop that loses its network and comes into another with another address: the containers reach each other
// all the time, and the way out and the published port are there again without a command.
func (b *box) elsewhere() {
	b.t.Helper()
	const moved = "198.51.100.77"
	out := func() (string, error) {
		return b.Hull(b.t, "exec", "client", "curl", "-sS", "--http0.9", "--max-time", "2", fmt.Sprintf("http://%s:%d/", env.LanIP, env.LanPort))
	}
	if text, err := out(); err != nil || !strings.HasPrefix(text, env.HostIP+":") {
		b.t.Errorf("before the move lan sees %q, %v", text, err)
	}
	b.wifi("off")
	if text, err := out(); err == nil {
		b.t.Errorf("without a network lan answers %q", text)
	}
	if text := b.must("exec", "client", "curl", "-sS", "--max-time", "5", "http://web/"); !strings.Contains(text, "Welcome to nginx") {
		b.t.Errorf("without a network web answers %q", text)
	}
	b.wifi("on " + moved + "/24 2001:db8::77/64")
	for start, seen := time.Now(), ""; !strings.HasPrefix(seen, moved+":"); time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		if time.Since(start) > back {
			b.t.Fatalf("after the move lan sees %q", seen)
		}
		seen, _ = out()
	}
	for _, host := range []string{moved, "[2001:db8::77]"} {
		if text, err := b.fromLan(host); err != nil || !strings.Contains(text, "Welcome to nginx") {
			b.t.Errorf("the published port of %s: %q, %v", host, text, err)
		}
	}
}

func (b *box) wifi(change string) {
	b.t.Helper()
	if text, err := env.FromLan(b.base, "wifi", change, ""); err != nil || text != "" {
		b.t.Fatalf("wifi %s: %s, %v", change, text, err)
	}
}

func (b *box) fromLan(host string) (string, error) {
	return env.FromLan(b.base, "tcp", host+":"+b.port(), "GET / HTTP/1.0\nHost: shop\n\n")
}

// hullNet is the pid of hull-net.
func (b *box) hullNet() int {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.Dir, "run/hull/*/net/pid"))
	if err != nil || len(files) != 1 {
		b.t.Fatalf("hull-net's pid files: %v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		b.t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), " ")
	pid, err := strconv.Atoi(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// log wants the addresses of the clients in nginx's log.
func (b *box) log() {
	b.t.Helper()
	out := b.must("logs", "web")
	for _, address := range []string{env.LanIP, env.LanIP6} {
		if n := strings.Count("\n"+out, "\n"+address+" - "); n < 2 { // before the kill and after
			b.t.Errorf("nginx's log has %d requests of %s:\n%s", n, address, out)
		}
	}
}

// down removes all, and wants nothing left.
func (b *box) down() {
	b.t.Helper()
	b.must("rm", "-f", "-t", "0", "db", "app", "web", "client")
	b.must("network", "rm", "shop")
	b.End(b.t)
	for _, pattern := range []string{"run/hull/*/net/a/*", "run/hull/*/net/ns", "run/hull/*/net/sock"} {
		if left, err := filepath.Glob(filepath.Join(b.Dir, pattern)); err != nil || len(left) > 0 {
			b.t.Errorf("left: %v %v", left, err)
		}
	}
	if out, err := b.fromLan(env.HostIP); err == nil && !strings.HasPrefix(out, "error:") {
		b.t.Errorf("the published port still answers: %s", out)
	}
}
