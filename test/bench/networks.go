package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/test/env"
)

// The containers of these figures run the machine's own iperf3, nginx and dnsperf over its /usr.
const tools = " -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro "

const (
	netPort    = 23000
	streamTime = 2 // seconds of each iperf3, ab and dnsperf
)

// bridged is the network that an engine's containers are on when a user asks for none: podman's is an uplink of its own.
func (e *engine) bridged() string {
	if e.name == "podman" {
		return " --network=slirp4netns "
	}
	return " --network=bridge "
}

func (m *measurement) engines() []*engine { return []*engine{m.hull, m.podman} }

// networks are the figures of bridges, ports and names.
func (m *measurement) networks() {
	for _, program := range []string{"iperf3", "nginx", "ab", "dnsperf", "/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns"} {
		if _, err := exec.LookPath(program); err != nil {
			m.Logf("no figures of networks: %v", err)
			return
		}
	}
	m.both("network create bench")
	m.first()
	m.both("run -d --name one --network bench busybox sleep 10000")
	m.pair("run --rm --network NAME, one running there", 0.15, "run --rm --network bench busybox true", "")
	m.both("network create other")
	m.pair("network connect", 0.3, "network connect other one", "network disconnect other one")
	m.pair("network create", 0.3, "network create third", "network rm third")
	m.both("network rm -f -t0 other")
	m.answers()
	m.streams()
	m.requests()
	m.questions()
	m.both(removeAll)
	m.memoryOfTwenty()
	for i := range 49 {
		m.both("network create n" + strconv.Itoa(i))
	}
	m.pair("network ls of 50", 0.3, "network ls", "")
	m.both("network prune -f")
}

// first is the first container of the user on a bridge: what serves networks is not there.
func (m *measurement) first() {
	r := row{what: "first run --rm --network NAME of the user", limit: 0.35}
	m.Logf("%s", r.what)
	for i := range pairs + 1 {
		took := map[*engine]time.Duration{}
		for _, e := range m.engines() {
			e.quiet()
			took[e] = e.time("run --rm --network bench busybox true")
		}
		if i > 0 {
			r.ours, r.theirs = append(r.ours, took[m.hull]), append(r.theirs, took[m.podman])
		}
	}
	m.rows = append(m.rows, r)
}

// quiet waits until what serves the engine's networks has ended.
func (e *engine) quiet() {
	serves := regexp.MustCompile(`hull-net|slirp4netns|pasta|aardvark|rootlessport`)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		busy := false
		for _, command := range e.box.Processes() {
			busy = busy || serves.MatchString(command)
		}
		if !busy {
			return
		}
	}
}

// answers is how long a container with a published port takes until that answers.
func (m *measurement) answers() {
	r := row{what: "run -d -p until the port answers", limit: 0.25}
	m.Logf("%s", r.what)
	url := fmt.Sprintf("http://%s:%d/busybox", env.HostIP, netPort)
	stay := m.clients()
	for i := range pairs + 1 {
		took := map[*engine]time.Duration{}
		for _, e := range m.engines() {
			start := time.Now()
			e.do(fmt.Sprintf("run -d --name web%s-p %d:80 busybox httpd -f -p 80 -h /bin", e.bridged(), netPort))
			for !m.get(url) && time.Since(start) < 10*time.Second {
				time.Sleep(time.Millisecond) //nolint:forbidigo // polls, until a deadline
			}
			took[e] = time.Since(start)
			e.do("rm -f -t0 web")
			m.settle(stay)
		}
		if i > 0 {
			r.ours, r.theirs = append(r.ours, took[m.hull]), append(r.theirs, took[m.podman])
		}
	}
	m.rows = append(m.rows, r)
}

// get reports whether a whole answer comes. Each call is a connection of its own.
func (m *measurement) get(url string) bool {
	request, err := http.NewRequestWithContext(m.Context(), http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close()) == nil && n > 0
}

// compare measures something of both in turn and records the medians.
func (m *measurement) compare(what, unit string, least, most float64, figure func(*engine) float64) {
	m.Logf("%s", what)
	list := map[*engine][]float64{}
	for range rounds {
		for _, e := range m.engines() {
			list[e] = append(list[e], figure(e))
		}
	}
	m.speeds = append(m.speeds, speed{what: what, unit: unit, least: least, most: most, ours: median(list[m.hull]), theirs: median(list[m.podman])})
}

// streams are the throughputs of iperf3.
func (m *measurement) streams() {
	server := m.start("iperf3", "-s", "-p", strconv.Itoa(netPort))
	defer server()
	for _, e := range m.engines() {
		e.do(fmt.Sprintf("run -d --name perf --network bench -p %d:5201%sbusybox /usr/bin/iperf3 -s", netPort+e.offset(), tools))
		e.do("run -d --name client --network bench" + tools + "busybox sleep 10000")
	}
	for _, n := range []int{1, 8} {
		streams := fmt.Sprintf(", %d streams", n)
		flags := fmt.Sprintf("-t %d -P %d -J", streamTime, n)
		m.compare("iperf3, container to host"+streams, " Gbit/s", 1.5, 0, func(e *engine) float64 {
			return m.bits(e.output(strings.Fields(fmt.Sprintf("exec client /usr/bin/iperf3 -c %s -p %d %s", env.HostIP, netPort, flags))...))
		})
		m.compare("iperf3, host to published port"+streams, " Gbit/s", 1.5, 0, func(e *engine) float64 {
			return m.bits(m.output("iperf3", strings.Fields(fmt.Sprintf("-c %s -p %d %s", env.HostIP, netPort+e.offset(), flags))...))
		})
	}
	m.compare("iperf3, container to container", " Gbit/s", 1, 0, func(e *engine) float64 {
		return m.bits(e.output(strings.Fields(fmt.Sprintf("exec client /usr/bin/iperf3 -c %s -t %d -J", e.address("perf"), streamTime))...))
	})
	m.both("rm -f -t0 perf client")
}

// offset keeps the ports of the engines apart.
func (e *engine) offset() int {
	if e.name == "podman" {
		return 2
	}
	return 1
}

// address is a container's on the network bench.
func (e *engine) address(name string) string {
	return e.output("inspect", "--format", "{{.NetworkSettings.Networks.bench.IPAddress}}", name)
}

// start runs a program of the machine until the returned function is called.
func (m *measurement) start(name string, args ...string) (end func()) {
	cmd := exec.CommandContext(m.Context(), name, args...)
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func (m *measurement) output(name string, args ...string) string {
	out, err := exec.CommandContext(m.Context(), name, args...).Output()
	if err != nil {
		m.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// bits is what iperf3 says was received, in Gbit/s.
func (m *measurement) bits(text string) float64 {
	var result struct {
		End struct {
			Received struct {
				Bits float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		m.Fatalf("iperf3: %v: %s", err, text)
	}
	return math.Round(result.End.Received.Bits/1e7) / 100
}

const nginxConf = `daemon off; worker_processes 1; error_log /dev/null; pid /tmp/nginx.pid;
events { worker_connections 512; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d;
scgi_temp_path /tmp/e; server { listen 80; location / { return 200 "hello\n"; } } }
`

// requests are those that nginx answers behind a published port.
func (m *measurement) requests() {
	conf := filepath.Join(m.hull.box.Dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf), 0o644); err != nil {
		m.Fatal(err)
	}
	for _, e := range m.engines() {
		e.do(fmt.Sprintf("run -d --name web --network bench --tmpfs /tmp -p %d:80%s-v %s:/nginx.conf:ro busybox /usr/sbin/nginx -c /nginx.conf",
			netPort+e.offset(), tools, conf))
	}
	rate := regexp.MustCompile(`Requests per second: +([0-9.]+)`)
	for how, flags := range map[string]string{"a connection each": "", "keep-alive": "-k "} {
		m.compare("nginx behind a published port, "+how, "/s", 1.5, 0, func(e *engine) float64 {
			out := m.output("ab", strings.Fields(fmt.Sprintf("%s-q -c 20 -t %d -n 1000000 http://%s:%d/", flags, streamTime, env.HostIP, netPort+e.offset()))...)
			match := rate.FindStringSubmatch(out)
			if match == nil {
				m.Fatalf("ab: %s", out)
			}
			n, _ := strconv.ParseFloat(match[1], 64)
			return math.Round(n)
		})
	}
	m.both("rm -f -t0 web")
}

// questions are those that the name servers answer. Both begin with nothing running: after other containers have come and
// gone, podman 4.3 makes its network namespace anew, while its name server stays in the former one and nobody reaches it.
func (m *measurement) questions() {
	questions := filepath.Join(m.hull.box.Dir, "questions")
	if err := os.WriteFile(questions, []byte("one A\n"), 0o644); err != nil {
		m.Fatal(err)
	}
	m.both(removeAll)
	for _, e := range m.engines() {
		e.quiet()
		e.do("run -d --name one --network bench busybox sleep 10000")
		e.do("run -d --name asks --network bench" + tools + "-v " + questions + ":/questions:ro --tmpfs /tmp busybox sleep 10000")
	}
	m.compare("names, questions a second", "/s", 1, 0, func(e *engine) float64 {
		match := regexp.MustCompile(`Queries per second: +([0-9.]+)`).FindStringSubmatch(e.ask("-q 100"))
		if match == nil {
			m.Fatalf("dnsperf says no rate")
		}
		rate, _ := strconv.ParseFloat(match[1], 64)
		return math.Round(rate)
	})
	m.compare("names, 99th percentile at 1,000 a second", " ms", 0, 1, func(e *engine) float64 {
		var seconds []float64
		for _, match := range regexp.MustCompile(`(?m)^> NOERROR one A ([0-9.]+)$`).FindAllStringSubmatch(e.ask("-Q 1000 -v"), -1) {
			took, _ := strconv.ParseFloat(match[1], 64)
			seconds = append(seconds, took)
		}
		slices.Sort(seconds)
		return math.Round(seconds[len(seconds)*99/100]*1e5) / 100
	})
}

// ask is what dnsperf prints that asks the engine's name server from a container. That no answer comes, or
// another one, is not a figure. It prints into a file first: an engine that carries lines out meanwhile takes the time that is measured.
func (e *engine) ask(flags string) string {
	server := e.output("inspect", "--format", "{{.NetworkSettings.Networks.bench.Gateway}}", "asks")
	line := fmt.Sprintf("/usr/bin/dnsperf -s %s -d /questions -l %d -c 8 %s >/tmp/out; cat /tmp/out", server, streamTime, flags)
	out := e.output("exec", "asks", "sh", "-c", line)
	if answered := regexp.MustCompile(`Response codes: +NOERROR [0-9]+ \(100.00%\)`); !answered.MatchString(out) {
		e.t.Fatalf("dnsperf has no answers of %s: %s", e.name, out)
	}
	return out
}

// memoryOfTwenty is what twenty containers with a port each take above twenty without a network, at rest.
func (m *measurement) memoryOfTwenty() {
	const n = 20
	m.compare("memory of 20 containers with a port each, above 20 without", " MB", 0, 0.1, func(e *engine) float64 {
		used := func(line string) float64 {
			e.quiet()
			before := e.box.Processes()
			for i := range n {
				e.do(strings.ReplaceAll(line, "%d", strconv.Itoa(netPort+100+i)))
			}
			time.Sleep(3 * time.Second) //nolint:forbidigo // what is started is still at work
			total := proportional(e.box.Processes(), before)
			e.do(removeAll)
			return total
		}
		without := used("run -d --network=none busybox sleep 10000")
		more := used("run -d"+e.bridged()+"-p %d:80 busybox sleep 10000") - without
		return math.Max(math.Round(more*10)/10, 0.1)
	})
}
