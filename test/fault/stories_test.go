package fault

import (
	"os"
	"path/filepath"
	"strings"

	"hull.dev/hull/test/env"
)

// story is a command that may die anywhere.
type story struct {
	setup []string   // command lines before it
	mess  func(*box) // what no command line does, after setup
	act   string     // the command; it is run again after the kill
	ends  bool       // what it starts ends by itself, and is waited for
	fine  string     // what the command may say when it is run again, where the killed one had done its work already
}

// What a command says that comes second.
const (
	taken = `is taken by container`
	gone  = `no such container`
	// With --rm a name is not taken by what has run already.
	unstarted = `is taken by container \w+, created`
)

// sleeps is a container that runs.
const sleeps = "run -d --name c busybox sleep 1000"

// onNetwork is a container that runs on a network; others are made before it.
const onNetwork = "run -d --name c --network one -p $PORT:80 busybox sleep 1000"

var (
	oneNetwork  = []string{"network create one"}
	twoNetworks = []string{"network create one", "network create two", onNetwork}
)

var stories = map[string]story{
	"create":          {act: "create --name c -v named:/n -v /anonymous busybox true", fine: taken},
	"create-replace":  {setup: []string{sleeps}, act: "create --name c --replace busybox true"},
	"create-cidfile":  {act: "create --name c --cidfile $DIR/cid busybox true", fine: "exists|" + taken},
	"create-mapped":   {act: "create --name c --uidmap 0:0:5000 busybox true", fine: taken},
	"create-rename":   {setup: []string{"create --name c busybox true"}, act: "rename c d", fine: gone},
	"run":             {act: "run --name c busybox true", fine: taken},
	"run-rm":          {act: "run --rm --name c -v /anonymous busybox true", ends: true, fine: unstarted},
	"run-detached":    {act: sleeps, fine: taken},
	"run-ends":        {act: "run -d --name c busybox true", ends: true, fine: taken},
	"run-rm-ends":     {act: "run -d --rm --name c -v /anonymous busybox true", ends: true, fine: unstarted},
	"run-volume":      {act: "run --rm --name c -v named:/www busybox cat /www/index.html", ends: true, fine: unstarted},
	"start":           {setup: []string{"create --name c busybox sleep 1000"}, act: "start c"},
	"start-attached":  {setup: []string{"create --name c busybox true"}, act: "start -a c"},
	"start-again":     {setup: []string{"run --name c busybox true"}, act: "start -a c"},
	"start-dependent": {setup: []string{"create --name a busybox sleep 1000", "create --name c --ipc container:a busybox sleep 1000"}, act: "start c"},
	"init":            {setup: []string{"create --name c busybox sleep 1000"}, act: "init c", fine: "already been initialized"},
	"init-start":      {setup: []string{"create --name c busybox sleep 1000", "init c"}, act: "start c"},
	"stop":            {setup: []string{sleeps}, act: "stop -t0 c"},
	"stop-rm":         {setup: []string{"run -d --rm --name c busybox sleep 1000"}, act: "stop -t0 c", fine: gone},
	"stop-restarting": {setup: []string{"run -d --restart always --name c busybox sleep 1000"}, act: "stop -t0 c"},
	"kill":            {setup: []string{sleeps}, act: "kill c", fine: "does not run"},
	"restart":         {setup: []string{sleeps}, act: "restart -t0 c"},
	"rm":              {setup: []string{"create --name c -v /anonymous busybox true"}, act: "rm -v c", fine: gone},
	"rm-force":        {setup: []string{sleeps}, act: "rm -f -t0 c"},
	"rm-depend":       {setup: []string{sleeps, "run -d --name d --ipc container:c busybox sleep 1000"}, act: "rm -f -t0 --depend c"},
	"exec":            {setup: []string{sleeps}, act: "exec c true"},
	"exec-detached":   {setup: []string{sleeps}, act: "exec -d c sleep 1000"},
	"exec-cleanup":    {setup: []string{sleeps}, act: "exec -d c true"},
	"tag":             {act: "tag busybox other"},
	"rm-mapped":       {setup: []string{"create --name c --uidmap 0:0:5000 busybox true"}, act: "rm c", fine: gone},
	"rmi":             {act: "rmi busybox", fine: "no such image|image not known"},
	"image-prune":     {setup: []string{"import $BUSYBOX one", "import -c USER=app $BUSYBOX two", "untag two"}, act: "image prune -af"},
	"import":          {act: "import $BUSYBOX other"},
	"load":            {act: "load -i $ARCHIVE"},
	"pull":            {act: "pull docker-archive:$ARCHIVE:archived:latest"},
	"pull-layers":     {mess: remote, act: "pull remote:1"},
	"save":            {act: "save -o $DIR/saved.tar busybox"},
	"save-oci":        {act: "save --format oci-archive -o $DIR/saved.tar busybox"},
	"save-dir":        {act: "save --format docker-dir -o $DIR/saved busybox"},
	"push":            {act: "push busybox dir:$DIR/pushed"},
	"push-signed":     {mess: fakeGPG, act: "push --sign-by ann busybox dir:$DIR/pushed"},
	"sign":            {mess: fakeGPG, act: "image sign --sign-by ann -d $DIR containers-storage:localhost/busybox:latest"},
	"manifest-create": {act: "manifest create list busybox", fine: "already associated"},
	"manifest-add":    {setup: []string{"manifest create list"}, act: "manifest add list busybox"},
	"manifest-edit":   {setup: []string{"manifest create list busybox"}, act: "manifest annotate --arch arm64 list busybox"},
	"manifest-files":  {setup: []string{"manifest create list"}, act: "manifest add --artifact list $BUSYBOX"},
	"manifest-rm":     {setup: []string{"manifest create list", "manifest add --artifact list $BUSYBOX"}, act: "manifest rm list", fine: "image not known"},
	"manifest-push":   {setup: []string{"manifest create list busybox"}, act: "manifest push --rm list dir:$DIR/pushed", fine: "image not known"},
	"artifact-add":    {act: "artifact add mine $BUSYBOX", fine: "already exists"},
	"artifact-swap":   {setup: []string{"artifact add mine $BUSYBOX"}, act: "artifact add --replace mine $ARCHIVE"},
	"artifact-rm":     {setup: []string{"artifact add mine $BUSYBOX"}, act: "artifact rm mine", fine: "does not exist"},
	"network-create":  {act: "network create --ipv6 net", fine: "already used"},
	"network-update":  {setup: []string{"network create net"}, act: "network update --dns-add 192.0.2.53 net"},
	"network-rm":      {setup: []string{"network create net"}, act: "network rm net", fine: "network not found"},
	"net-start":       {setup: append(oneNetwork, "create --name c --network one -p $PORT:80 busybox sleep 1000"), act: "start c"},
	"net-run-rm":      {setup: oneNetwork, act: "run --rm --name c --network one -p $PORT:80 busybox true", ends: true, fine: unstarted},
	"net-stop":        {setup: append(oneNetwork, onNetwork), act: "stop -t0 c"},
	"net-rm":          {setup: append(oneNetwork, onNetwork), act: "rm -f -t0 c"},
	"net-connect":     {setup: twoNetworks, act: "network connect --alias a two c", fine: "is on network two already"},
	"net-disconnect":  {setup: twoNetworks, act: "network disconnect one c", fine: "is not on a network"},
	"net-reload":      {setup: append(oneNetwork, onNetwork), act: "network reload c"},
	"net-update":      {setup: append(oneNetwork, onNetwork), act: "update --publish $PORT2:80 --unpublish $PORT c", fine: "is not published"},
	"system-prune":    {setup: []string{"create --name c busybox true", "import $BUSYBOX one", "untag one", "network create net"}, act: "system prune -f"},
	"volume-prune":    {setup: []string{"run --rm -v one:/v busybox touch /v/f", "create --name c -v two:/v busybox true"}, act: "system prune -f --volumes"},
	"trust-set":       {act: "image trust set --type accept localhost:5000"},
	"events":          {mess: fillEvents, act: "create --name c busybox true", fine: taken},
}

// remote puts busybox into a registry, as remote:1, where short names are looked for.
func remote(b *box) {
	b.t.Helper()
	r, err := env.StartRegistry(env.RegistryOptions{Dir: b.t.TempDir()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			b.t.Error(err)
		}
	})
	if err := r.Configure(filepath.Join(b.Dir, "home")); err != nil {
		b.t.Fatal(err)
	}
	b.must("push -q busybox " + r.Host + "/remote:1")
	b.must("rmi -f busybox")
}

// fakeGPG puts a program in gpg's place that gives back what it is to sign: gpg itself would leave its agent behind.
func fakeGPG(b *box) {
	b.t.Helper()
	bin := filepath.Join(b.Dir, "bin")
	err := os.Mkdir(bin, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(bin, "gpg"), []byte("#!/bin/sh\ncase \"$*\" in *--sign*) cat ;; esac\n"), 0o700)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.Vars = append(b.Vars, "PATH="+bin+":"+os.Getenv("PATH"))
}

// fillEvents makes the file of events so large that the next event moves it.
func fillEvents(b *box) {
	b.t.Helper()
	b.must("create --name first busybox true")
	logs, err := filepath.Glob(filepath.Join(b.Dir, "run/hull/*/events.log"))
	if err != nil || len(logs) != 1 {
		b.t.Fatalf("the file of events: %v, %v", logs, err)
	}
	event, err := os.ReadFile(logs[0])
	if err == nil {
		err = os.WriteFile(logs[0], []byte(strings.Repeat(string(event), 1<<20/len(event)+1)), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
