package transfer

// Operations on registries that touch no image.
const (
	OpCredentials = "credentials" // what is stored for a registry
	OpLogin       = "login"       // check credentials and store them
	OpLogout      = "logout"      // forget them
	OpSearch      = "search"      // images by their names, or the tags of one
)

// Access is how a registry is reached. It holds secrets: it crosses the pipe and is never printed.
type Access struct {
	User           string `json:"user,omitempty"`
	Password       string `json:"password,omitempty"`
	AuthFile       string `json:"authFile,omitempty"`       // "": where containers-auth.json(5) says
	CompatAuthFile string `json:"compatAuthFile,omitempty"` // of docker's format, in place of AuthFile
	CertDir        string `json:"certDir,omitempty"`        // "": certs.d, containers-certs.d(5)
	TLSVerify      *bool  `json:"tlsVerify,omitempty"`      // nil: as registries.conf says
}

// Login is a job on credentials.
type Login struct {
	Registry string `json:"registry,omitempty"` // host[:port][/namespace]; "" is the first search registry
	Stored   bool   `json:"stored,omitempty"`   // login: check what is stored, and store nothing
	All      bool   `json:"all,omitempty"`      // logout: from every registry
}

// LoginResult is what came of it. It holds no password.
type LoginResult struct {
	Registry string `json:"registry,omitempty"`
	Username string `json:"username,omitempty"` // stored; "" when none is
	File     string `json:"file,omitempty"`     // where credentials were written, or the helper's name
}

// Search is a job that finds images.
type Search struct {
	Term  string `json:"term,omitempty"` // [host[:port]/]words; without a host all registries that registries.conf searches
	Limit int    `json:"limit,omitempty"`
	Tags  bool   `json:"tags,omitempty"` // Term is a repository whose tags are wanted
}

// Found is an image that a registry has, or a tag of one.
type Found struct {
	Index       string `json:"index,omitempty"` // the registry
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Stars       int    `json:"stars,omitempty"`
	Official    bool   `json:"official,omitempty"`
	Automated   bool   `json:"automated,omitempty"`
	Tag         string `json:"tag,omitempty"`
}
