package arch

// module is the path that the rooms lie below.
const module = "hull.dev/hull/"

// room is a folder of the tree with the law for the packages in it. The first room that a package lies in decides.
type room struct {
	path  string
	may   string // rooms of ours that its packages may import, with all that lies below them
	not   string // of these, the rooms that they may not
	never string // what its packages do not reach, even indirectly; a path stands for all that lies below it
}

// rooms is the table "Who may import whom" of the style guide. A room may import what lies in itself.
var rooms = []room{
	{"cmd/hull", "pkg libpod", "pkg/transfer/registry", "go.podman.io/image github.com/mattn/go-runewidth github.com/vishvananda/netlink github.com/google/nftables github.com/miekg/dns gvisor.dev/gvisor"}, // initialisers: see budgets
	{"cmd/hull-untar", "pkg/hugeheap pkg/lazysysmon", "", "go.podman.io/image hull.dev/hull/libpod"},                                                                                                         // its start is what it is for
	{"cmd", "pkg", "", "hull.dev/hull/libpod"},
	{"pkg/api/client", "libpod/define pkg/errs", "", "github.com/spf13/cobra"},
	{"pkg/api", "pkg libpod", "", "github.com/spf13/cobra"},
	{"libpod/define", "", "", ""}, // and see pure
	{"libpod/internal", "libpod/define pkg conmon/protocol", "pkg/api", "github.com/spf13/cobra net/http"},
	{"libpod", "libpod/define libpod/internal pkg", "pkg/api", "github.com/spf13/cobra net/http go.podman.io/image"},
	{"conmon", "", "", "fmt encoding/json net/http"},                                                      // and see pure
	{"pkg", "", "", "hull.dev/hull/libpod hull.dev/hull/conmon hull.dev/hull/cmd github.com/spf13/cobra"}, // and see leaves
	{"contrib", "", "", ""},
	{"test", "cmd pkg libpod conmon", "", ""},
}

// bag is the package that opens the stores and makes the services: the one that may import them all.
const bag = "libpod"

// leaves are the packages of pkg that import another of them: which ones, one by one.
var leaves = map[string]string{
	"pkg/artifacts":              "pkg/atomicfile pkg/errs pkg/failpoint pkg/reference",
	"pkg/config":                 "pkg/errs",
	"pkg/events":                 "pkg/failpoint",
	"pkg/gpg":                    "pkg/errs",
	"pkg/imagecopy":              "pkg/errs",
	"pkg/journal":                "pkg/errs",
	"pkg/layers":                 "pkg/cleanup pkg/errs pkg/failpoint pkg/mountin pkg/reference pkg/safepath pkg/spread pkg/thread",
	"pkg/moment":                 "pkg/errs",
	"pkg/network":                "pkg/atomicfile pkg/errs pkg/failpoint pkg/lockfile",
	"pkg/network/bridge":         "pkg/errs pkg/netns pkg/network",
	"pkg/netns":                  "pkg/thread",
	"pkg/netns/owned":            "pkg/netns pkg/rootless",
	"pkg/network/filter":         "pkg/netns pkg/network",
	"pkg/network/lease":          "pkg/errs pkg/netns",
	"pkg/network/ports":          "pkg/errs pkg/netns pkg/network",
	"pkg/network/server":         "pkg/atomicfile pkg/errs pkg/failpoint pkg/lockfile pkg/netns pkg/network pkg/network/bridge pkg/network/filter pkg/network/lease pkg/network/names pkg/network/ports pkg/network/uplink pkg/network/wire pkg/pidfd",
	"pkg/network/uplink":         "pkg/errs pkg/netns pkg/network",
	"pkg/network/uplink/builtin": "pkg/netns pkg/network/uplink pkg/resident",
	"pkg/network/wire":           "pkg/errs pkg/failpoint pkg/netns pkg/network pkg/pidfd",
	"pkg/ociruntime":             "pkg/errs",
	"pkg/reference":              "pkg/errs",
	"pkg/rootless":               "pkg/errs pkg/lockfile pkg/pidfd",
	"pkg/signals":                "pkg/errs",
	"pkg/transfer":               "pkg/errs",
	"pkg/transfer/registry":      "pkg/artifacts pkg/atomicfile pkg/cleanup pkg/errs pkg/failpoint pkg/gpg pkg/layers pkg/lockfile pkg/reference pkg/transfer pkg/transfer/chunk pkg/transfer/layer pkg/transfer/staging pkg/transfer/toggle",
	"pkg/transfer/jail":          "pkg/thread",
	"pkg/transfer/staging":       "pkg/spread",
	"pkg/transfer/toggle":        "pkg/errs",
	"pkg/transfer/layer":         "pkg/thread pkg/transfer/chunk pkg/transfer/crc pkg/transfer/jail pkg/transfer/toggle",
}

// pure are the packages that reach nothing but the standard library, their own room, and the modules that stand here.
var pure = map[string]string{
	"libpod/define":   "github.com/opencontainers/runtime-spec",
	"conmon/protocol": "", // spoken by libpod too
	"conmon":          "golang.org/x/sys",
}

// onlyIn says where a package may be imported; elsewhere it goes by a door of ours.
var onlyIn = map[string]string{
	"C":                           "pkg/rootless pkg/hugeheap pkg/lazysysmon pkg/mountin pkg/netns/owned pkg/sqlheap pkg/transfer/confine pkg/transfer/unpacker",
	"unsafe":                      "pkg/rootless pkg/mountin pkg/netns pkg/transfer conmon",
	"os/exec":                     "pkg/gpg pkg/imagecopy pkg/journal pkg/network/uplink pkg/ociruntime pkg/rootless pkg/transfer libpod/internal/monitor test",
	"database/sql":                "libpod/internal/state",
	"github.com/mattn/go-sqlite3": "libpod/internal/state",
	"github.com/spf13/cobra":      "cmd",
}

// unsafeFile ends the name of every file that imports unsafe; cgo's own need is no breach.
const unsafeFile = "_unsafe_linux.go"

// emptyNames say nothing about what a package holds.
const emptyNames = "util utils common helpers types misc base"

// top is what may lie in the repository's top folder, beside dotfiles.
const top = "cmd conmon libpod pkg docs contrib test go.mod go.sum README.md LICENSE CHANGELOG.md Makefile containers.conf"

// Sizes: what no file, function and service exceeds.
const (
	maxFileLines     = 500 // of code: neither blank nor comment alone
	maxFunctionLines = 80
	maxMethods       = 25 // of a service in libpod, exported
)

// exceptions are the breaches that are known: what the judge says of them, and why they stand. One that is no more has to
// go from here.
var exceptions = map[string]string{
	"libpod/containers imports conmon/protocol": "it reads the monitor's status file for every ps and writes its request; a door in libpod/internal/monitor would only forward",
}
