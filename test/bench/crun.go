package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bareArgument is the first argument of the process that runs crun with nothing around it.
const bareArgument = "bare-crun"

// bare compares run --rm with crun alone, which runs the same bundle in the same user namespace. The namespace is that of
// a running container's monitor; the bundle is the container's own, with another command.
func (m *measurement) bare() {
	m.Logf("run --rm and crun alone")
	m.hull.do("run -d --name model " + sleeper)
	monitor := m.hull.output("inspect", "--format", "{{.State.ConmonPid}}", "model")
	id := m.hull.output("inspect", "--format", "{{.Id}}", "model")
	found, err := filepath.Glob(filepath.Join(m.hull.box.Dir, "run/hull/*/c", id, "config.json"))
	if err != nil || len(found) != 1 {
		m.Fatalf("the bundle of %s: %v, %v", id, found, err)
	}
	bundle := m.copyBundle(found[0])
	self, err := os.Executable()
	if err != nil {
		m.Fatal(err)
	}
	inside := exec.CommandContext(m.Context(), "nsenter", "--preserve-credentials", "-U", "-m", "-t", monitor, self, bareArgument, bundle, filepath.Join(m.hull.box.Dir, "run/bare"))
	inside.Stderr = os.Stderr
	in, err1 := inside.StdinPipe()
	out, err2 := inside.StdoutPipe()
	if err1 != nil || err2 != nil || inside.Start() != nil {
		m.Fatalf("start %v", inside.Args)
	}
	r := row{what: "run --rm, against crun alone", versus: "crun:", limit: 3}
	answers := bufio.NewScanner(out)
	for i := range pairs + 1 {
		ours := m.hull.time("run --rm --network=none busybox true")
		if _, err := fmt.Fprintln(in, i); err != nil || !answers.Scan() {
			m.Fatalf("crun alone: %v", err)
		}
		nanoseconds, err := strconv.ParseInt(answers.Text(), 10, 64)
		if err != nil {
			m.Fatalf("crun alone: %s", answers.Text())
		}
		if i > 0 {
			r.ours, r.theirs = append(r.ours, ours), append(r.theirs, time.Duration(nanoseconds))
		}
	}
	_ = in.Close()
	if err := inside.Wait(); err != nil {
		m.Fatal(err)
	}
	m.rows = append(m.rows, r)
	m.hull.do(removeAll)
}

// copyBundle writes a bundle with the config at path, whose process is true.
func (m *measurement) copyBundle(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		m.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(data, &spec); err != nil {
		m.Fatal(err)
	}
	process, ok := spec["process"].(map[string]any)
	if !ok {
		m.Fatalf("%s has no process", path)
	}
	process["args"] = []string{"true"}
	if linux, ok := spec["linux"].(map[string]any); ok {
		delete(linux, "cgroupsPath") // the model is in there
	}
	if data, err = json.Marshal(spec); err != nil {
		m.Fatal(err)
	}
	dir := filepath.Join(m.hull.box.Dir, "bundle")
	if err := os.Mkdir(dir, 0o700); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600); err != nil {
		m.Fatal(err)
	}
	return dir
}

// serveBare runs crun once for each line of the input and prints how many nanoseconds it took. args are the bundle and
// crun's folder.
func serveBare(ctx context.Context, args []string) int {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		start := time.Now()
		out, err := exec.CommandContext(ctx, "crun", "--root", args[1], "run", "-b", args[0], "bare"+lines.Text()).CombinedOutput()
		took := time.Since(start)
		if err != nil {
			fmt.Printf("%v: %s\n", err, strings.ReplaceAll(string(out), "\n", " "))
			return 1
		}
		fmt.Println(took.Nanoseconds())
	}
	return 0
}
