package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// YAML writes v as its JSON says, with keys sorted: what podman prints where it prints YAML. A library would be linked,
// and started, by every command for this one use.
func YAML(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	out := bufio.NewWriter(w)
	switch tree.(type) {
	case map[string]any, []any:
		yamlBlock(out, tree, "")
	default:
		fmt.Fprintln(out, yamlScalar(tree, ""))
	}
	return out.Flush()
}

// yamlBlock writes a map or a list, each line behind indent.
func yamlBlock(w *bufio.Writer, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(w, "%s%s:", indent, yamlString(key, ""))
			yamlValue(w, v[key], indent)
		}
	case []any:
		for _, item := range v {
			fmt.Fprintf(w, "%s-", indent)
			if m, ok := item.(map[string]any); ok && len(m) > 0 {
				// The first key stands beside the dash.
				var b bytes.Buffer
				inner := bufio.NewWriter(&b)
				yamlBlock(inner, m, indent+"  ")
				_ = inner.Flush()
				fmt.Fprintf(w, " %s", strings.TrimPrefix(b.String(), indent+"  "))
				continue
			}
			yamlValue(w, item, indent+"  ")
		}
	}
}

// yamlValue writes what follows a key or a dash at indent.
func yamlValue(w *bufio.Writer, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			fmt.Fprintln(w)
			yamlBlock(w, v, indent+"  ")
			return
		}
		fmt.Fprintln(w, " {}")
	case []any:
		if len(v) > 0 {
			fmt.Fprintln(w)
			yamlBlock(w, v, indent)
			return
		}
		fmt.Fprintln(w, " []")
	default:
		fmt.Fprintln(w, " "+yamlScalar(v, indent+"  "))
	}
}

func yamlScalar(v any, indent string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return yamlString(v, indent)
	}
	return fmt.Sprint(v)
}

// yamlString is s plain where that is read as the same string, else as a literal block behind indent, or in quotes.
func yamlString(s, indent string) string {
	if strings.Contains(s, "\n") && indent != "" && !strings.HasPrefix(s, " ") && !strings.ContainsAny(s, "\t\r") && strings.TrimRight(s, "\n ") == s {
		return "|-\n" + indent + strings.ReplaceAll(s, "\n", "\n"+indent)
	}
	if !yamlPlain(s) {
		return strconv.Quote(s)
	}
	if strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.Contains(s, " #") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// yamlPlain reports whether s would be read as a string without quotes (yaml.org/spec/1.2.2, 7.3.3 and 10.3.2).
func yamlPlain(s string) bool {
	if s == "" || strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` ") && s != "-" || strings.HasSuffix(s, " ") {
		return strings.HasPrefix(s, "-") && len(s) > 1 && s[1] != ' ' && !number(s)
	}
	switch strings.ToLower(s) {
	case "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "-", ".nan", ".inf":
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return !number(s)
}

func number(s string) bool {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return true
	}
	_, err := strconv.ParseInt(s, 0, 64)
	return err == nil
}
