package transfer

// Operations on artifacts (podman-artifact(1)): OpArtifactPull fetches what Request.Pull names into the store of artifacts,
// OpArtifactPush sends Request.Artifact to where Request.Push says.
const (
	OpArtifactPull = "artifact-pull"
	OpArtifactPush = "artifact-push"
)
