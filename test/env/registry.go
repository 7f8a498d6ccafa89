package env

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// RegistryOptions say what registry a test needs.
type RegistryOptions struct {
	Dir            string // where all of its files go; made if it is not there
	User, Password string // who may use it; "" is everybody
	TLS            bool   // speaks https, with a certificate of an authority of its own
	Schema1        bool   // takes images in docker's oldest form too

	Tokens *TokenServer // whose tokens it wants; nil: none
	Realm  string       // where it says that the token server is; "" is where that is
}

// Registry is Debian's docker-registry on a free port of the loopback device, an empty one.
type Registry struct {
	Host  string // "localhost:PORT"
	Log   string // the file with a line for each request
	Certs string // with TLS, the folder with ca.crt, for --cert-dir and certs.d

	process *exec.Cmd
}

// listening is the line of the log with the port that was free.
var listening = regexp.MustCompile(`listening on 127\.0\.0\.1:(\d+)`)

// StartRegistry starts a registry and waits until it answers. Stop ends it.
func StartRegistry(o RegistryOptions) (_ *Registry, err error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return nil, errors.New("docker-registry is not installed; make test-deps installs what tests need")
	}
	data := filepath.Join(o.Dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	config := "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: " + data +
		"\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n"
	r := &Registry{Log: filepath.Join(o.Dir, "log")}
	if o.TLS {
		r.Certs = filepath.Join(o.Dir, "certs")
		if err := makeCertificates(r.Certs, o.Dir); err != nil {
			return nil, err
		}
		config += fmt.Sprintf("  tls:\n    certificate: %s\n    key: %s\n", filepath.Join(o.Dir, "server.crt"), filepath.Join(o.Dir, "server.key"))
	}
	if o.Schema1 {
		config += "compatibility:\n  schema1:\n    enabled: true\n"
	}
	auth, err := o.auth()
	if err != nil {
		return nil, err
	}
	config += auth
	file := filepath.Join(o.Dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(r.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.process = exec.Command(program, "serve", file)
	r.process.Dir, r.process.Env = o.Dir, []string{"PATH=" + os.Getenv("PATH"), "OTEL_TRACES_EXPORTER=none"}
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C of a story is not for it
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	if err := r.wait(); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// auth is the part of the configuration about who may do what.
func (o RegistryOptions) auth() (string, error) {
	if o.Tokens != nil {
		realm := o.Realm
		if realm == "" {
			realm = o.Tokens.URL
		}
		return o.Tokens.config(realm), nil
	}
	if o.User == "" {
		return "", nil
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(o.Password), bcrypt.MinCost)
	users := filepath.Join(o.Dir, "users")
	if err := errors.Join(err, os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", o.User, hash), 0o600)); err != nil {
		return "", err
	}
	return fmt.Sprintf("auth:\n  htpasswd:\n    realm: test\n    path: %s\n", users), nil
}

// wait waits until the registry listens; from then on a connection is answered.
func (r *Registry) wait() error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		log, err := os.ReadFile(r.Log)
		if err != nil {
			return err
		}
		if m := listening.FindSubmatch(log); m != nil {
			r.Host = "localhost:" + string(m[1])
			return nil
		}
		if time.Now().After(deadline) || strings.Contains(string(log), "level=fatal") {
			return fmt.Errorf("the registry does not listen: %s", log)
		}
	}
}

// Stop ends the registry. What it holds stays in its folder.
func (r *Registry) Stop() error {
	if err := r.process.Process.Kill(); err != nil {
		return err
	}
	_ = r.process.Wait() // says that it was killed
	return nil
}

// Configure tells the programs with this home of the registry: in registries.conf it is where short names are looked
// for, and, unless it speaks https, may be spoken to in the clear.
func (r *Registry) Configure(home string) error {
	dir := filepath.Join(home, ".config/containers")
	if err := os.MkdirAll(filepath.Join(dir, "registries.conf.d"), 0o700); err != nil {
		return err
	}
	main := filepath.Join(dir, "registries.conf")
	if _, err := os.Stat(main); errors.Is(err, os.ErrNotExist) { // the first one
		text := fmt.Sprintf("unqualified-search-registries = [%q]\nshort-name-mode = \"permissive\"\n", r.Host)
		if err := os.WriteFile(main, []byte(text), 0o600); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = %v\n", r.Host, r.Certs == "")
	file := filepath.Join(dir, "registries.conf.d", strings.ReplaceAll(r.Host, ":", "-")+".conf")
	return os.WriteFile(file, []byte(text), 0o600)
}
