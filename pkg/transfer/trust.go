package transfer

// Operations on the files that say which images may come in.
const (
	OpTrustShow = "trust-show" // what policy.json says
	OpTrustSet  = "trust-set"  // change it for one scope
)

// Trust is a job on policy.json (containers-policy.json(5)).
type Trust struct {
	Scope string   `json:"scope,omitempty"` // host[:port][/path][:tag], or "default"; show: "" is all
	Type  string   `json:"type,omitempty"`  // accept, reject, signedBy, sigstoreSigned
	Keys  []string `json:"keys,omitempty"`  // absolute paths of public keys; each has to have signed
}

// TrustReport is what policy.json says.
type TrustReport struct {
	File    string       `json:"file,omitempty"` // "": there is none, and every image is accepted
	Raw     string       `json:"raw,omitempty"`
	Entries []TrustEntry `json:"entries,omitempty"`
}

// TrustEntry is one requirement, with the fields of podman-image-trust(1)'s JSON.
type TrustEntry struct {
	Transport string `json:"transport"` // "all", "repository" for registries, else a transport's name
	Name      string `json:"name,omitempty"`
	RepoName  string `json:"repo_name,omitempty"`
	Store     string `json:"sigstore,omitempty"` // where registries.d says signatures are
	Type      string `json:"type"`
	GPGID     string `json:"gpg_id,omitempty"` // e-mail addresses of the keys; "N/A" for sigstore's, which have none
}
