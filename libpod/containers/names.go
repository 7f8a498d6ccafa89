package containers

import (
	"math/rand/v2"
	"strconv"
)

// randomName is a name for a container that was given none: a quality and a vessel. From the tenth try on it has a number
// behind it.
func randomName(try int) string {
	name := qualities[rand.IntN(len(qualities))] + "_" + vessels[rand.IntN(len(vessels))] //nolint:gosec // no secret
	if try >= 10 {
		name += strconv.Itoa(rand.IntN(1000)) //nolint:gosec // no secret
	}
	return name
}

var qualities = [...]string{
	"able", "agile", "amber", "ample", "azure", "bold", "brave", "bright", "brisk", "calm", "candid", "clear", "clever", "coral",
	"crisp", "deft", "eager", "early", "exact", "fair", "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand",
	"hardy", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid", "mellow", "merry", "mild", "modest", "neat", "nimble",
	"noble", "patient", "plain", "polite", "prompt", "proud", "quick", "quiet", "ready", "robust", "rosy", "sage", "serene",
	"sharp", "silent", "silver", "sincere", "sleek", "smart", "snug", "solid", "spry", "stable", "steady", "still", "stout",
	"sunny", "sure", "swift", "tidy", "trim", "trusty", "upright", "vivid", "warm", "witty", "young", "zesty",
}

var vessels = [...]string{
	"argosy", "ark", "barge", "bark", "bireme", "brig", "canoe", "caravel", "carrack", "catboat", "clipper", "coaster", "cog",
	"coracle", "corvette", "cutter", "dhow", "dinghy", "dory", "dugout", "ferry", "felucca", "flagship", "frigate", "galleon",
	"galley", "gondola", "hoy", "icebreaker", "jolly", "junk", "kayak", "keelboat", "ketch", "knarr", "launch",
	"lighter", "lightship", "liner", "longship", "lugger", "outrigger", "packet", "peapod", "pilot", "pinnace", "pirogue",
	"polacre", "pontoon", "proa", "punt", "raft", "sampan", "schooner", "scow", "scull", "shallop", "skiff", "sloop", "smack",
	"snow", "tartane", "tender", "trawler", "trimaran", "trireme", "tug", "umiak", "vessel", "wherry", "windjammer", "xebec",
	"yacht", "yawl", "zebec",
}
