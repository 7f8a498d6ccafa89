package transfer

// OpSources tells where what hull-image knows of images' registries comes from. Nothing is changed and nothing asked of
// a registry.
const OpSources = "sources"

// Sources is what OpSources found. A file that cannot be read is told in Problem, beside what is known without it.
type Sources struct {
	Policy     PolicySource     `json:"policy"`
	Registries RegistriesSource `json:"registries"`
	ShortNames ShortNamesSource `json:"shortNames"`
}

// PolicySource is which images are let in (containers-policy.json(5)).
type PolicySource struct {
	Source  string   `json:"source"`            // a file, or BuiltIn
	Default []string `json:"default,omitempty"` // types of the requirements for what has none of its own
	Problem string   `json:"problem,omitempty"`
}

// RegistriesSource is how registries are reached and searched (containers-registries.conf(5)).
type RegistriesSource struct {
	Sources      []string                 `json:"sources"`                // files, in the order in which they are read, or BuiltIn
	Search       []string                 `json:"search"`                 // for names without a registry
	SearchSource string                   `json:"searchSource,omitempty"` // "": registries.conf names none
	Entries      map[string]RegistryEntry `json:"entries,omitempty"`      // by prefix
	Problem      string                   `json:"problem,omitempty"`
}

// RegistryEntry is a [[registry]] with the fields of podman-info(1)'s JSON.
type RegistryEntry struct {
	Prefix             string
	Location           string
	Insecure           bool
	PullFromMirror     string
	Mirrors            []RegistryMirror
	Blocked            bool
	MirrorByDigestOnly bool
}

// RegistryMirror is a [[registry.mirror]].
type RegistryMirror struct {
	Location       string
	Insecure       bool
	PullFromMirror string
}

// ShortNamesSource is what names without a registry mean, before registries are searched.
type ShortNamesSource struct {
	Sources []AliasSource `json:"sources"` // none: short names are searched for
	Mode    string        `json:"mode"`    // enforcing, permissive, disabled
}

// AliasSource is a file with aliases.
type AliasSource struct {
	Source  string `json:"source"`
	Aliases int    `json:"aliases"`
}

// BuiltIn is the source of what no file says.
const BuiltIn = "built-in default"
