package network

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
)

// suffix ends the names of definitions.
const suffix = ".json"

// Parse reads a definition. What is wrong with it is an error: nothing is made of half of one.
func Parse(data []byte) (Network, error) {
	var n Network
	if err := json.Unmarshal(data, &n); err != nil {
		return n, err
	}
	switch {
	case !isName(n.Name):
		return n, errs.Invalid("network name %q is none", n.Name)
	case len(n.ID) != 64 || !isHex(n.ID):
		return n, errs.Invalid("id %q is not 64 hexadecimal digits", n.ID)
	}
	if n.IPAM[IPAMDriver] == "" {
		n.IPAM = maps.Clone(n.IPAM)
		if n.IPAM == nil {
			n.IPAM = map[string]string{}
		}
		n.IPAM[IPAMDriver] = IPAMHostLocal
	}
	return n, n.check()
}

// readFile reads a definition; an error of one that is broken says which file it is.
func readFile(path string) (Network, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Network{}, err
	}
	n, err := Parse(data)
	if err == nil && !strings.HasSuffix(path, "/"+n.Name+suffix) {
		err = errs.Invalid("it is called otherwise than its network, %s", n.Name)
	}
	if err != nil {
		return Network{}, errs.WithHint(fmt.Errorf("network file %s: %w", path, err), "mend it or delete it")
	}
	return n, nil
}

// encode is a definition as it is written. Keys of old that no field of n has are those of a newer hull, and stay.
func encode(n *Network, old []byte) ([]byte, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	rest := unknown(old)
	if len(rest) > 0 {
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, err
		}
		maps.Copy(all, rest)
		if data, err = json.Marshal(all); err != nil {
			return nil, err
		}
	}
	if err := json.Indent(&out, data, "", "     "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// unknown are the keys of a definition that Network has no field for.
func unknown(data []byte) map[string]json.RawMessage {
	rest := map[string]json.RawMessage{}
	if json.Unmarshal(data, &rest) != nil {
		return nil
	}
	for f := range reflect.TypeFor[Network]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(rest, name)
	}
	return rest
}

// writeNew writes a definition to a path that nothing has; os.ErrExist otherwise.
func writeNew(path string, n *Network) error {
	data, err := encode(n, nil)
	if err != nil {
		return err
	}
	f, err := atomicfile.New(path, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %q: %w", path, err)
	}
	if err := f.CommitNew(path); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
