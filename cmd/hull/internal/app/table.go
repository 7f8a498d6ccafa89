package app

import (
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/artifact"
	"hull.dev/hull/cmd/hull/internal/container"
	"hull.dev/hull/cmd/hull/internal/image"
	"hull.dev/hull/cmd/hull/internal/manifest"
	"hull.dev/hull/cmd/hull/internal/network"
	"hull.dev/hull/cmd/hull/internal/registry"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/cmd/hull/internal/system"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// deps is what constructors are made with. Nothing in it is opened before a command runs.
type deps struct {
	streams streams.Streams
	globals *globals                       // filled when the command line is parsed
	config  func() (*config.Config, error) // containers.conf with the flags over it; read at the first call
	self    func() ([]string, error)       // argv of this program with its global flags
}

// entry is one command: the words before its name, its name and aliases, and what makes it. A command that has two places
// has two lines with the same constructor.
type entry struct {
	group string // "", "container", "system connection"
	names string // "list ls": the first is the name, the others are aliases
	make  func(d deps) *cobra.Command
}

// table is every command that is built, sorted by group and name.
func table() []entry { return slices.Concat(short(), ofArtifacts(), ofContainers(), ofOthers()) }

// short are the commands that stand for themselves.
func short() []entry {
	return []entry{
		{"", "attach", func(d deps) *cobra.Command { return container.NewAttach(d.container()) }},
		{"", "completion", newCompletion},
		{"", "create", func(d deps) *cobra.Command { return container.NewCreate(d.container()) }},
		{"", "diff", func(d deps) *cobra.Command { return container.NewDiffAny(d.container()) }},
		{"", "events", func(d deps) *cobra.Command { return system.NewEvents(d.system()) }},
		{"", "exec", func(d deps) *cobra.Command { return container.NewExec(d.container()) }},
		{"", "history", func(d deps) *cobra.Command { return image.NewHistory(d.image()) }},
		{"", "images", func(d deps) *cobra.Command { return image.NewImages(d.image()) }},
		{"", "import", func(d deps) *cobra.Command { return image.NewImport(d.image()) }},
		{"", "info", func(d deps) *cobra.Command { return system.NewInfo(d.system()) }},
		{"", "init", func(d deps) *cobra.Command { return container.NewInit(d.container()) }},
		{"", "inspect", func(d deps) *cobra.Command { return container.NewInspectAny(d.container()) }},
		{"", "kill", func(d deps) *cobra.Command { return container.NewKill(d.container()) }},
		{"", "login", func(d deps) *cobra.Command { return registry.NewLogin(d.registry()) }},
		{"", "logout", func(d deps) *cobra.Command { return registry.NewLogout(d.registry()) }},
		{"", "load", func(d deps) *cobra.Command { return image.NewLoad(d.image()) }},
		{"", "logs", func(d deps) *cobra.Command { return container.NewLogs(d.container()) }},
		{"", "port", func(d deps) *cobra.Command { return container.NewPort(d.container()) }},
		{"", "ps", func(d deps) *cobra.Command { return container.NewPs(d.container()) }},
		{"", "pull", func(d deps) *cobra.Command { return image.NewPull(d.image()) }},
		{"", "push", func(d deps) *cobra.Command { return image.NewPush(d.image()) }},
		{"", "rename", func(d deps) *cobra.Command { return container.NewRename(d.container()) }},
		{"", "restart", func(d deps) *cobra.Command { return container.NewRestart(d.container()) }},
		{"", "rm", func(d deps) *cobra.Command { return container.NewRm(d.container()) }},
		{"", "rmi", func(d deps) *cobra.Command { return image.NewRmi(d.image()) }},
		{"", "run", func(d deps) *cobra.Command { return container.NewRun(d.container()) }},
		{"", "start", func(d deps) *cobra.Command { return container.NewStart(d.container()) }},
		{"", "stop", func(d deps) *cobra.Command { return container.NewStop(d.container()) }},
		{"", "save", func(d deps) *cobra.Command { return image.NewSave(d.image()) }},
		{"", "search", func(d deps) *cobra.Command { return registry.NewSearch(d.registry()) }},
		{"", "tag", func(d deps) *cobra.Command { return image.NewTag(d.image()) }},
		{"", "top", func(d deps) *cobra.Command { return container.NewTop(d.container()) }},
		{"", "update", func(d deps) *cobra.Command { return container.NewUpdate(d.container()) }},
		{"", "unshare", func(d deps) *cobra.Command { return system.NewUnshare(d.system()) }},
		{"", "untag", func(d deps) *cobra.Command { return image.NewUntag(d.image()) }},
		{"", "version", newVersion},
		{"", "wait", func(d deps) *cobra.Command { return container.NewWait(d.container()) }},
	}
}

// ofArtifacts are those below artifact.
func ofArtifacts() []entry {
	return []entry{
		{"artifact", "add", func(d deps) *cobra.Command { return artifact.NewAdd(d.artifact()) }},
		{"artifact", "extract", func(d deps) *cobra.Command { return artifact.NewExtract(d.artifact()) }},
		{"artifact", "inspect", func(d deps) *cobra.Command { return artifact.NewInspect(d.artifact()) }},
		{"artifact", "ls list", func(d deps) *cobra.Command { return artifact.NewList(d.artifact()) }},
		{"artifact", "pull", func(d deps) *cobra.Command { return artifact.NewPull(d.artifact()) }},
		{"artifact", "push", func(d deps) *cobra.Command { return artifact.NewPush(d.artifact()) }},
		{"artifact", "rm", func(d deps) *cobra.Command { return artifact.NewRm(d.artifact()) }},
	}
}

// ofContainers are those below container.
func ofContainers() []entry {
	return []entry{
		{"container", "attach", func(d deps) *cobra.Command { return container.NewAttach(d.container()) }},
		{"container", "cleanup", func(d deps) *cobra.Command { return container.NewCleanup(d.container()) }},
		{"container", "create", func(d deps) *cobra.Command { return container.NewCreate(d.container()) }},
		{"container", "diff", func(d deps) *cobra.Command { return container.NewDiff(d.container()) }},
		{"container", "exec", func(d deps) *cobra.Command { return container.NewExec(d.container()) }},
		{"container", "exists", func(d deps) *cobra.Command { return container.NewExists(d.container()) }},
		{"container", "init", func(d deps) *cobra.Command { return container.NewInit(d.container()) }},
		{"container", "inspect", func(d deps) *cobra.Command { return container.NewInspect(d.container()) }},
		{"container", "kill", func(d deps) *cobra.Command { return container.NewKill(d.container()) }},
		{"container", "list ls", func(d deps) *cobra.Command { return container.NewPs(d.container()) }},
		{"container", "logs", func(d deps) *cobra.Command { return container.NewLogs(d.container()) }},
		{"container", "port", func(d deps) *cobra.Command { return container.NewPort(d.container()) }},
		{"container", "ps", func(d deps) *cobra.Command { return container.NewPs(d.container()) }},
		{"container", "rename", func(d deps) *cobra.Command { return container.NewRename(d.container()) }},
		{"container", "restart", func(d deps) *cobra.Command { return container.NewRestart(d.container()) }},
		{"container", "rm", func(d deps) *cobra.Command { return container.NewRm(d.container()) }},
		{"container", "run", func(d deps) *cobra.Command { return container.NewRun(d.container()) }},
		{"container", "start", func(d deps) *cobra.Command { return container.NewStart(d.container()) }},
		{"container", "stop", func(d deps) *cobra.Command { return container.NewStop(d.container()) }},
		{"container", "top", func(d deps) *cobra.Command { return container.NewTop(d.container()) }},
		{"container", "update", func(d deps) *cobra.Command { return container.NewUpdate(d.container()) }},
		{"container", "wait", func(d deps) *cobra.Command { return container.NewWait(d.container()) }},
	}
}

// ofOthers are those below the other words.
func ofOthers() []entry {
	return []entry{
		{"image", "diff", func(d deps) *cobra.Command { return image.NewDiff(d.image()) }},
		{"image", "exists", func(d deps) *cobra.Command { return image.NewExists(d.image()) }},
		{"image", "history", func(d deps) *cobra.Command { return image.NewHistory(d.image()) }},
		{"image", "import", func(d deps) *cobra.Command { return image.NewImport(d.image()) }},
		{"image", "inspect", func(d deps) *cobra.Command { return image.NewInspect(d.image()) }},
		{"image", "list ls", func(d deps) *cobra.Command { return image.NewList(d.image()) }},
		{"image", "load", func(d deps) *cobra.Command { return image.NewLoad(d.image()) }},
		{"image", "mount", func(d deps) *cobra.Command { return image.NewMount(d.image()) }},
		{"image", "prune", func(d deps) *cobra.Command { return image.NewPrune(d.image()) }},
		{"image", "pull", func(d deps) *cobra.Command { return image.NewPull(d.image()) }},
		{"image", "push", func(d deps) *cobra.Command { return image.NewPush(d.image()) }},
		{"image", "rm", func(d deps) *cobra.Command { return image.NewRm(d.image()) }},
		{"image", "save", func(d deps) *cobra.Command { return image.NewSave(d.image()) }},
		{"image", "scp", func(d deps) *cobra.Command { return image.NewScp(d.image()) }},
		{"image", "search", func(d deps) *cobra.Command { return registry.NewSearch(d.registry()) }},
		{"image", "sign", func(d deps) *cobra.Command { return image.NewSign(d.image()) }},
		{"image", "tag", func(d deps) *cobra.Command { return image.NewTag(d.image()) }},
		{"image", "tree", func(d deps) *cobra.Command { return image.NewTree(d.image()) }},
		{"image", "unmount umount", func(d deps) *cobra.Command { return image.NewUnmount(d.image()) }},
		{"image", "untag", func(d deps) *cobra.Command { return image.NewUntag(d.image()) }},
		{"image trust", "set", func(d deps) *cobra.Command { return registry.NewTrustSet(d.registry()) }},
		{"image trust", "show", func(d deps) *cobra.Command { return registry.NewTrustShow(d.registry()) }},
		{"manifest", "add", func(d deps) *cobra.Command { return manifest.NewAdd(d.manifest()) }},
		{"manifest", "annotate", func(d deps) *cobra.Command { return manifest.NewAnnotate(d.manifest()) }},
		{"manifest", "create", func(d deps) *cobra.Command { return manifest.NewCreate(d.manifest()) }},
		{"manifest", "exists", func(d deps) *cobra.Command { return manifest.NewExists(d.manifest()) }},
		{"manifest", "inspect", func(d deps) *cobra.Command { return manifest.NewInspect(d.manifest()) }},
		{"manifest", "push", func(d deps) *cobra.Command { return manifest.NewPush(d.manifest()) }},
		{"manifest", "remove", func(d deps) *cobra.Command { return manifest.NewRemove(d.manifest()) }},
		{"manifest", "rm", func(d deps) *cobra.Command { return manifest.NewRm(d.manifest()) }},
		{"network", "connect", func(d deps) *cobra.Command { return container.NewConnect(d.container()) }},
		{"network", "create", func(d deps) *cobra.Command { return network.NewCreate(d.network()) }},
		{"network", "disconnect", func(d deps) *cobra.Command { return container.NewDisconnect(d.container()) }},
		{"network", "exists", func(d deps) *cobra.Command { return network.NewExists(d.network()) }},
		{"network", "inspect", func(d deps) *cobra.Command { return network.NewInspect(d.network()) }},
		{"network", "ls list", func(d deps) *cobra.Command { return network.NewList(d.network()) }},
		{"network", "prune", func(d deps) *cobra.Command { return network.NewPrune(d.network()) }},
		{"network", "reload", func(d deps) *cobra.Command { return container.NewReload(d.container()) }},
		{"network", "rm remove", func(d deps) *cobra.Command { return network.NewRm(d.network()) }},
		{"network", "update", func(d deps) *cobra.Command { return network.NewUpdate(d.network()) }},
		{"system", "check", func(d deps) *cobra.Command { return system.NewCheck(d.system()) }},
		{"system", "df", func(d deps) *cobra.Command { return system.NewDf(d.system()) }},
		{"system", "events", func(d deps) *cobra.Command { return system.NewEvents(d.system()) }},
		{"system", "info", func(d deps) *cobra.Command { return system.NewInfo(d.system()) }},
		{"system", "migrate", func(d deps) *cobra.Command { return system.NewMigrate(d.system()) }},
		{"system", "prune", func(d deps) *cobra.Command { return system.NewPrune(d.system()) }},
		{"system", "reset", func(d deps) *cobra.Command { return system.NewReset(d.system()) }},
	}
}

// groups are the commands that only hold others, and what they say about themselves.
func groups() map[string]string {
	return map[string]string{
		"artifact":          "Manage OCI artifacts",
		"container":         "Manage containers",
		"image":             "Manage images",
		"image trust":       "Manage container image trust policy",
		"manifest":          "Manipulate manifest lists and image indexes",
		"network":           "Manage networks",
		"pod":               "Manage pods",
		"secret":            "Manage secrets",
		"system":            "Manage hull",
		"system connection": "Manage remote API service destinations",
		"volume":            "Manage volumes",
	}
}

// name is the command's own name.
func (e entry) name() string { return strings.Fields(e.names)[0] }

// path is the whole command without the program.
func (e entry) path() []string { return append(strings.Fields(e.group), e.name()) }

// tree makes commands out of the table.
type tree struct {
	table []entry
	deps  deps
}

// newTree makes the table with everything that its constructors want.
func newTree(s streams.Streams) *tree {
	g := new(globals)
	return &tree{table: table(), deps: deps{streams: s, globals: g, config: sync.OnceValues(g.settings)}}
}

// root is the program's command with no command below it.
func (t *tree) root() *cobra.Command {
	root := &cobra.Command{
		Use:               program + " [options] [command]",
		Long:              "Manage pods, containers and images",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Version:           hullVersion(),
		PersistentPreRunE: func(*cobra.Command, []string) error { return t.deps.globals.check(t.deps.streams) },
		RunE:              missingCommand,
	}
	root.SetIn(t.deps.streams.In)
	root.SetOut(t.deps.streams.Out)
	root.SetErr(t.deps.streams.Err)
	root.SetHelpFunc(help)
	root.SetUsageFunc(func(cmd *cobra.Command) error { return usage(cmd.OutOrStderr(), cmd) })
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.Flags().BoolP("help", "h", false, "Help for "+program)
	root.Flags().BoolP("version", "v", false, "Version of "+program)
	t.deps.globals.add(root.PersistentFlags())
	t.deps.self = func() ([]string, error) { return self(root.PersistentFlags()) }
	return root
}

// addAll makes every command.
func (t *tree) addAll(root *cobra.Command) {
	for _, e := range t.table {
		t.add(root, e)
	}
}

// add makes one command and the groups it is in. The table's names win over those that the constructor gives, so that
// one constructor can stand in two places.
func (t *tree) add(root *cobra.Command, e entry) {
	parent := root
	group := ""
	for word := range strings.FieldsSeq(e.group) {
		group = strings.TrimSpace(group + " " + word)
		parent = child(parent, word, groups()[group])
	}
	cmd := e.make(t.deps)
	names := strings.Fields(e.names)
	if _, rest, ok := strings.Cut(cmd.Use, " "); ok {
		names[0] += " " + rest
	}
	cmd.Use, cmd.Aliases, cmd.DisableFlagsInUseLine = names[0], names[1:], true
	if cmd.Flags().ShorthandLookup("h") != nil && cmd.Flags().Lookup("help") == nil {
		cmd.Flags().Bool("help", false, "Help for "+cmd.Name()) // -h is --hostname here; cobra would take it and panic
	}
	parent.AddCommand(cmd)
}

// child is the group called word below parent, made when it is not there yet.
func child(parent *cobra.Command, word, short string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == word {
			return c
		}
	}
	c := &cobra.Command{Use: word, Short: short, Long: short, RunE: missingCommand}
	parent.AddCommand(c)
	return c
}

// missingCommand is the run of a group: its help, and the error that says what was missing.
func missingCommand(cmd *cobra.Command, _ []string) error {
	if err := usage(cmd.OutOrStderr(), cmd); err != nil {
		return err
	}
	return errs.Invalid("missing command: %s COMMAND", cmd.CommandPath())
}

// isGroup reports whether path names something that holds commands.
func (t *tree) isGroup(path string) bool {
	return slices.ContainsFunc(t.table, func(e entry) bool {
		return e.group == path || strings.HasPrefix(e.group, path+" ")
	})
}

// find is the entry called name in the group.
func (t *tree) find(group, name string) (entry, bool) {
	i := slices.IndexFunc(t.table, func(e entry) bool {
		return e.group == group && slices.Contains(strings.Fields(e.names), name)
	})
	if i < 0 {
		return entry{}, false
	}
	return t.table[i], true
}
