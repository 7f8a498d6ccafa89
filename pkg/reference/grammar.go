package reference

import "strings"

// The functions below say what is wrong with a part of a name, or "". The grammar is the one in the package comment of
// github.com/distribution/reference.

func pathFault(path string) string {
	if path == "" {
		return "the part before the tag is empty"
	}
	if lower := strings.ToLower(path); lower != path && pathFault(lower) == "" {
		return "capital letters are not allowed in it; write " + lower
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			return "it has an empty part between slashes"
		}
		if why := componentFault(part); why != "" {
			return why
		}
	}
	return ""
}

// componentFault checks one part of a path: letters and digits, with one dot, one or two underscores or any number of
// hyphens between them.
func componentFault(part string) string {
	for i := 0; i < len(part); {
		if lowerOrDigit(part[i]) {
			i++
			continue
		}
		end := i
		for end < len(part) && part[end] == part[i] {
			end++
		}
		if !separator(part[i:end]) {
			return quoted(part[i:end]) + " is not allowed in it"
		}
		if i == 0 || end == len(part) || !lowerOrDigit(part[end]) {
			return "each part begins and ends with a letter or digit, " + quoted(part) + " does not"
		}
		i = end
	}
	return ""
}

func separator(s string) bool { return s == "." || s == "_" || s == "__" || s[0] == '-' }

func tagFault(tag string) string {
	switch {
	case tag == "":
		return "nothing follows the colon; leave it out or give a tag"
	case len(tag) > maxTag:
		return "the tag is longer than 128 characters"
	case tag[0] == '.' || tag[0] == '-':
		return "a tag begins with a letter, digit or underscore"
	}
	for i := range len(tag) {
		if c := tag[i]; !letterOrDigit(c) && c != '_' && c != '.' && c != '-' {
			return quoted(tag[i:i+1]) + " is not allowed in a tag"
		}
	}
	return ""
}

func digestFault(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	want, known := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	switch {
	case !ok || !known:
		return "a digest is written sha256:HEX"
	case len(hex) != want || !isHex(hex):
		return "the digest is not " + algorithm + ": and hexadecimal digits in full length"
	}
	return ""
}

func domainFault(domain string) string {
	if domain == "" {
		return ""
	}
	if strings.HasPrefix(domain, "[") {
		host, port, ok := strings.Cut(domain[1:], "]")
		if !ok || strings.Trim(host, "0123456789abcdefABCDEF:") != "" || host == "" {
			return quoted(domain) + " is not an IPv6 address in brackets"
		}
		if port != "" && port[0] != ':' {
			return quoted(domain) + " is not a registry"
		}
		if port != "" {
			return portFault(port[1:])
		}
		return ""
	}
	host, port, ported := strings.Cut(domain, ":")
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return quoted(domain) + " is not a registry"
		}
		for i := range len(label) {
			if !letterOrDigit(label[i]) && label[i] != '-' {
				return quoted(domain) + " is not a registry"
			}
		}
	}
	if ported {
		return portFault(port)
	}
	return ""
}

func portFault(port string) string {
	if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return "the registry's port is not a number"
	}
	return ""
}

func quoted(s string) string { return `"` + s + `"` }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func letterOrDigit(c byte) bool { return lowerOrDigit(c) || c >= 'A' && c <= 'Z' }
