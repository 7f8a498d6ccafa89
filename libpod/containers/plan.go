package containers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/docker/go-units"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/signals"
)

// isName reports whether podman takes a text for the name of a container or volume.
func isName(text string) bool {
	for i, r := range text {
		letter := r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if !letter && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return false
		}
	}
	return text != ""
}

// CheckName refuses what no container can be called.
func CheckName(name string) error {
	if !isName(name) {
		return errs.WithHint(errs.Invalid("%q is no name for a container", name),
			"begin with a letter or digit, go on with letters, digits, '_', '.' and '-'")
	}
	return nil
}

// planRootfs reads DIR[:O] of --rootfs (podman-run(1)).
func planRootfs(o *define.CreateOptions) error {
	dir, option := o.Image, ""
	if i := strings.LastIndexByte(dir, ':'); i >= 0 && !isFolder(dir) {
		dir, option = dir[:i], dir[i+1:]
	}
	switch {
	case option == "idmap" || strings.HasPrefix(option, "idmap="):
		return errs.NotBuilt("--rootfs DIR:idmap")
	case option != "" && option != "O" && isFolder(dir):
		return errs.WithHint(errs.Invalid("--rootfs %q: there is no option %q", o.Image, option), "O writes to an overlay and leaves the folder as it is")
	case !isFolder(dir):
		return errs.Invalid("--rootfs %q is not a folder", o.Image)
	}
	abs, err := filepath.Abs(dir)
	o.Image, o.RootfsOverlay = abs, option == "O"
	if err == nil && o.RootfsOverlay {
		err = layers.CheckOver(abs)
	}
	return err
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// plan turns options and image into a config and checks all that can be checked without touching the disk.
func (s *Service) plan(ctx context.Context, o define.CreateOptions) (*plan, error) {
	if o.Name != "" {
		if err := CheckName(o.Name); err != nil {
			return nil, err
		}
	}
	c := &define.ContainerConfig{ContainerBrief: define.ContainerBrief{ID: newID(), Name: o.Name, Created: time.Now(), Labels: map[string]string{}}}
	image := define.Image{}
	if o.Rootfs {
		if err := planRootfs(&o); err != nil {
			return nil, err
		}
	} else {
		found, name, err := s.Images.Resolve(ctx, o.Image, o.Pull)
		if err != nil {
			return nil, err
		}
		image = found
		c.ImageID, c.ImageName, c.ImageDigest = found.ID, name, found.Digest
	}
	c.Options = o
	r, err := s.runtime(c)
	if err != nil {
		return nil, err
	}
	c.Options.Runtime = cmp.Or(o.Runtime, s.Config.Engine.Runtime, r.Name()) // it stays with the one that knows it
	if strings.Contains(c.Options.Runtime, "/") {
		c.Options.Runtime = r.Path
	}
	p := &plan{config: c}
	for _, step := range []func(context.Context, *plan, *define.ImageConfig) error{
		s.planProcess, s.planStop, s.planVolumes, s.planNamespaces, s.planUser, s.planIDMapped, s.planNetwork, s.planSecurity, s.planLog,
	} {
		if err := step(ctx, p, &image.Config); err != nil {
			return nil, err
		}
	}
	for key, value := range image.Labels {
		if _, ok := o.Labels[key]; !ok {
			c.Labels[key] = value
		}
	}
	maps.Copy(c.Labels, o.Labels)
	return p, nil
}

// maxHostname is the most that sethostname(2) takes, in bytes.
const maxHostname = 64

// checkNames refuses a name of the host that cannot be, and users whom the host does not have.
func checkNames(o *define.CreateOptions) error {
	if len(o.Hostname) > maxHostname || strings.ContainsFunc(o.Hostname, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return errs.Invalid("--hostname %q: a name has at most %d letters, none of them white space", o.Hostname, maxHostname)
	}
	for _, name := range o.HostUsers {
		if _, err := hostUser(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) planProcess(_ context.Context, p *plan, image *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	c.Entrypoint, c.CommandOnly = image.Entrypoint, image.Cmd
	if o.Entrypoint != nil {
		c.Entrypoint, c.CommandOnly = *o.Entrypoint, nil
	}
	if len(o.Command) > 0 {
		c.CommandOnly = o.Command
	}
	c.Command = append(slices.Clone(c.Entrypoint), c.CommandOnly...)
	if len(c.Command) == 0 {
		return errs.WithHint(errs.Invalid("no command specified on command line or as CMD or ENTRYPOINT in this image"),
			"give a command behind the image: hull run %s COMMAND", o.Image)
	}
	c.Env = s.environment(o, image.Env)
	c.Workdir = "/"
	for _, dir := range []string{image.WorkingDir, o.Workdir} {
		if dir != "" {
			c.Workdir = dir
		}
	}
	if !path.IsAbs(c.Workdir) {
		return errs.Invalid("the working directory %q is not an absolute path", c.Workdir)
	}
	c.User = image.User
	if o.User != "" {
		c.User = o.User
	}
	if err := checkNames(o); err != nil {
		return err
	}
	c.Hostname = o.Hostname
	if c.Hostname == "" && (o.UTS == "host" || slices.Equal(o.Network, []string{"host"})) {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		c.Hostname = name
	}
	if c.Hostname == "" && s.Config.Containers.ContainerNameAsHostname {
		c.Hostname = c.Name // a generated one comes later
	} else if c.Hostname == "" {
		c.Hostname = short(c.ID)
	}
	if o.TZ != "" {
		if err := checkTimezone(o.TZ); err != nil {
			return err
		}
	}
	if o.Init {
		if _, err := s.initPath(o); err != nil {
			return err
		}
	}
	return nil
}

// environment is, later over earlier: the default PATH, the configuration, the image, the user; less what is unset.
func (s *Service) environment(o *define.CreateOptions, image []string) []string {
	var env []string
	set := func(list []string) {
		for _, e := range list {
			key, _, _ := strings.Cut(e, "=")
			env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, key+"=") })
			env = append(env, e)
		}
	}
	if !o.UnsetEnvAll {
		set([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
		set(s.Config.Containers.Env.Values)
		set([]string{"container=podman"}) // systemd-detect-virt(1) and scripts know this name, and none of ours
		if o.HTTPProxy {
			for _, key := range []string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"} {
				if value, ok := os.LookupEnv(key); ok {
					set([]string{key + "=" + value})
				}
			}
		}
		set(image)
		for _, e := range o.EnvMerge {
			name, value, _ := strings.Cut(e, "=")
			set([]string{name + "=" + expand(value, env)})
		}
	}
	for _, key := range o.UnsetEnv {
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, key+"=") })
	}
	set(o.Env)
	return env
}

// expand replaces $NAME and ${NAME} in a text by what an environment has, or by nothing; ${NAME:-WORD} is WORD where the name has no value, and
// ${NAME:+WORD} where it has one.
func expand(text string, env []string) string {
	return os.Expand(text, func(name string) string {
		name, word, _ := strings.Cut(name, ":")
		value := ""
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				value = v
			}
		}
		if strings.HasPrefix(word, "-") && value == "" || strings.HasPrefix(word, "+") && value != "" {
			return word[1:]
		}
		return value
	})
}

func (s *Service) planStop(_ context.Context, p *plan, image *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	name := image.StopSignal
	if o.StopSignal != "" {
		name = o.StopSignal
	}
	c.StopSignal = 15
	if name != "" {
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		c.StopSignal = int(sig)
	}
	if o.Restart != "" {
		if err := checkRestart(o.Restart); err != nil {
			return err
		}
	}
	if o.Remove && o.Restart != "" && o.Restart != "no" && o.Restart != "on-failure" {
		return errs.Invalid(`the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"`)
	}
	return nil
}

func checkRestart(policy string) error {
	known := []string{"no", "always", "on-failure", "unless-stopped"}
	if slices.Contains(known, policy) {
		return nil
	}
	return errs.Invalid("restart policy %q%s: no, always, on-failure[:MAX] and unless-stopped are there", policy, errs.DidYouMean(policy, known[1:]))
}

// planVolumes resolves -v and the image's own volumes; an anonymous one gets a random name.
func (s *Service) planVolumes(ctx context.Context, p *plan, image *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	if err := s.volumesFrom(ctx, p); err != nil {
		return err
	}
	taken := map[string]define.Mount{}
	var mounts []define.Mount
	for _, m := range o.Mounts {
		dest := path.Clean(m.Dest)
		if !path.IsAbs(dest) {
			return errs.Invalid("mount destination %q is not an absolute path", m.Dest)
		}
		if first, ok := taken[dest]; ok && reflect.DeepEqual(first, m) {
			continue // said twice
		} else if ok {
			return errs.Invalid("%s: duplicate mount destination", dest)
		}
		taken[dest] = m
		if m.Type == "bind" {
			abs, err := bindSource(m)
			if err != nil {
				return err
			}
			m.Source = abs
		}
		mounts = append(mounts, m)
		if m.Type != "volume" {
			continue
		}
		v := define.NamedVolume{Name: m.Source, Dest: dest, Options: m.Options}
		if v.Name == "" {
			v.Name, v.Anonymous = newID(), true
		} else if !isName(v.Name) {
			return errs.WithHint(errs.Invalid("%q is no name for a volume", v.Name), "a folder of the host begins with / or .")
		}
		c.Volumes = append(c.Volumes, v)
	}
	o.Mounts = mounts
	for _, dest := range image.Volumes {
		dest = path.Clean(dest)
		_, given := taken[dest]
		switch {
		case given || o.ImageVolume == "ignore":
		case o.ImageVolume == "tmpfs":
			o.Mounts = append(o.Mounts, define.Mount{Type: "tmpfs", Dest: dest})
		default:
			c.Volumes = append(c.Volumes, define.NamedVolume{Name: newID(), Dest: dest, Anonymous: true})
		}
	}
	return nil
}

// bindSource is the absolute path of what is mounted, which has to be there.
func bindSource(m define.Mount) (string, error) {
	abs, err := filepath.Abs(m.Source)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(abs); err != nil {
		return "", errs.WithHint(fmt.Errorf("mount %q: %w", m.Source, err), "make the folder first, or use a named volume: -v NAME:%s", path.Clean(m.Dest))
	}
	if givesAway(m.Options) {
		return abs, checkGiven(abs)
	}
	return abs, nil
}

// volumesFrom takes over the mounts of other containers (--volumes-from NAME[:ro]).
func (s *Service) volumesFrom(ctx context.Context, p *plan) error {
	o := &p.config.Options
	for _, text := range o.VolumesFrom {
		ref, options, _ := strings.Cut(text, ":")
		row, err := s.State.Lookup(ctx, ref)
		if err != nil {
			return err
		}
		p.dependsOn = append(p.dependsOn, row.Config.ID)
		var extra []string
		if options != "" {
			extra = strings.Split(options, ",")
		}
		add := func(m define.Mount) {
			if !slices.ContainsFunc(o.Mounts, func(own define.Mount) bool { return path.Clean(own.Dest) == path.Clean(m.Dest) }) {
				m.Options = append(slices.Clone(m.Options), extra...)
				o.Mounts = append(o.Mounts, m)
			}
		}
		for _, m := range row.Config.Options.Mounts {
			if m.Type == "bind" {
				add(m)
			}
		}
		for _, v := range row.Config.Volumes {
			add(define.Mount{Type: "volume", Source: v.Name, Dest: v.Dest, Options: v.Options})
		}
	}
	return nil
}

func (s *Service) planSecurity(_ context.Context, p *plan, _ *define.ImageConfig) error {
	o := &p.config.Options
	if _, err := ocispec.Capabilities(s.Config.Containers.DefaultCapabilities.Values, o.CapAdd, o.CapDrop); err != nil {
		return err
	}
	opts, err := ocispec.ParseSecurityOpts(o.SecurityOpts)
	if err != nil {
		return err
	}
	if path := s.Config.Containers.SeccompProfile; opts.Seccomp == "" && !o.Privileged && path != "" && path != ocispec.Unconfined {
		if _, err := os.Stat(path); err != nil { // what is in it is seen when it is used
			return errs.WithHint(fmt.Errorf("seccomp profile %q: %w", path, err), "it is seccomp_profile in containers.conf")
		}
	}
	if err := ocispec.CheckSeccomp(opts.Seccomp); err != nil {
		return err
	}
	if err := ocispec.CheckSysctls(p.config); err != nil {
		return err
	}
	for _, text := range o.Devices {
		d, err := ocispec.ParseDevice(text)
		if err != nil {
			return err
		}
		if _, err := os.Stat(d.Host); err != nil {
			return errs.Invalid("device %q: %v", d.Host, err)
		}
	}
	for _, text := range o.Ulimits {
		if text == "host" {
			continue
		}
		if _, err := ocispec.ParseUlimit(text); err != nil {
			return err
		}
	}
	return nil
}

// logDrivers are the drivers that the monitor has.
var logDrivers = []string{"k8s-file", "json-file", "journald", "passthrough", "none"}

func (s *Service) planLog(_ context.Context, p *plan, _ *define.ImageConfig) error {
	o := &p.config.Options
	if o.LogDriver == "" {
		o.LogDriver = s.Config.Containers.LogDriver
	}
	if tag := s.Config.Containers.LogTag; tag != "" && o.LogOptions["tag"] == "" {
		o.LogOptions = maps.Clone(o.LogOptions)
		if o.LogOptions == nil {
			o.LogOptions = map[string]string{}
		}
		o.LogOptions["tag"] = tag
	}
	if o.OOMScoreAdj == nil {
		o.OOMScoreAdj = s.Config.Containers.OOMScoreAdj
	}
	if !slices.Contains(logDrivers, o.LogDriver) {
		return errs.Invalid("there is no log driver %q%s: %s are there", o.LogDriver, errs.DidYouMean(o.LogDriver, logDrivers), strings.Join(logDrivers, ", "))
	}
	for key := range o.LogOptions {
		if known := []string{"max-size", "path", "tag", "label"}; !slices.Contains(known, key) {
			return errs.Invalid("there is no log option %q%s: %s are there", key, errs.DidYouMean(key, known), strings.Join(known, ", "))
		}
	}
	_, err := logSize(o)
	return err
}

// logSize is the size that a log is kept to, 0 when --log-opt says none.
func logSize(o *define.CreateOptions) (int64, error) {
	text := o.LogOptions["max-size"]
	if text == "" {
		return 0, nil
	}
	size, err := units.FromHumanSize(text)
	if err != nil || size < 0 {
		return 0, errs.Invalid("log option max-size=%s is not a size: write a number with b, k, m or g", text)
	}
	return size, nil
}
