package filter

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
)

// Check compares the rules that the kernel has with those that should be there, and says in words what is missing or too
// much; nil is that all is well. Of a chain it counts the rules, of sets and maps it looks at each element. Apply puts it right.
func (t *Table) Check() []string {
	if t.sets == nil {
		return []string{"the nftables rules of networks could not be changed, and are to be put anew"}
	}
	found, err := t.look()
	if len(found) > 0 || err != nil { // another program's change in between is no trouble
		found, err = t.look()
	}
	if err != nil {
		found = append(found, fmt.Sprintf("look at the nftables rules of networks: %v", err))
	}
	return found
}

func (t *Table) look() (found []string, err error) {
	err = t.inside.Do(func() error {
		conn, err := nftables.New(nftables.AsLasting())
		if err != nil {
			return err
		}
		for _, family := range families() {
			list, e := t.lookAt(conn, family)
			found, err = append(found, list...), errors.Join(err, e)
		}
		return errors.Join(err, conn.CloseLasting())
	})
	return found, err
}

func (t *Table) lookAt(conn *nftables.Conn, family nftables.TableFamily) ([]string, error) {
	title := fmt.Sprintf("nftables table %s %s", map[nftables.TableFamily]string{nftables.TableFamilyINet: "inet", nftables.TableFamilyBridge: "bridge"}[family], t.options.Name)
	tables, err := conn.ListTablesOfFamily(family)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(tables, func(has *nftables.Table) bool { return has.Name == t.options.Name }) {
		return []string{"the " + title + " is gone"}, nil
	}
	found, err := t.lookAtChains(conn, family, title)
	if err != nil {
		return nil, err
	}
	should := t.content()
	for _, set := range t.sets.made {
		if set.Table.Family != family {
			continue
		}
		has, err := conn.GetSetElements(set)
		if err != nil {
			found = append(found, fmt.Sprintf("%s: look at %s %s: %v", title, kind(set), set.Name, err))
			continue
		}
		missing, more := differences(should[set], has)
		if missing > 0 {
			found = append(found, fmt.Sprintf("%s: %s %s lacks %d of %d elements", title, kind(set), set.Name, missing, len(should[set])))
		}
		if more > 0 {
			found = append(found, fmt.Sprintf("%s: of the elements of %s %s %d are not hull's", title, kind(set), set.Name, more))
		}
	}
	return found, nil
}

// lookAtChains counts the rules of each chain. One that is gone has none.
func (t *Table) lookAtChains(conn *nftables.Conn, family nftables.TableFamily, title string) (found []string, err error) {
	chains, err := conn.ListChainsOfTableFamily(family)
	if err != nil {
		return nil, err
	}
	has := map[string]int{}
	for _, c := range chains {
		if c.Table.Name != t.options.Name {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return nil, err
		}
		has[c.Name] = len(rules)
	}
	for c, should := range t.sets.rules {
		if c.Table.Family == family && has[c.Name] != should {
			found = append(found, fmt.Sprintf("%s: of chain %s %d rules are there, and should be %d", title, c.Name, has[c.Name], should))
		}
		if c.Table.Family == family {
			delete(has, c.Name)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(has)) {
		found = append(found, fmt.Sprintf("%s: chain %s is not hull's", title, other))
	}
	return found, nil
}

// content is what all sets and maps should have.
func (t *Table) content() content {
	all := t.sets.ofNetworks(t.networks)
	maps.Copy(all, t.sets.ofMembers(slices.Collect(maps.Values(t.members))))
	maps.Copy(all, t.sets.ofForwards(slices.Concat(slices.Collect(maps.Values(t.forwards))...)))
	return all
}

func kind(set *nftables.Set) string {
	if set.IsMap {
		return "map"
	}
	return "set"
}

// differences counts the elements that are missing and those that are too much.
func differences(should, has []nftables.SetElement) (missing, more int) {
	there := map[string]bool{}
	for _, e := range has {
		there[string(e.Key)+"→"+string(e.Val)] = true
	}
	for _, e := range should {
		key := string(e.Key) + "→" + string(e.Val)
		if !there[key] {
			missing++
		}
		delete(there, key)
	}
	return missing, len(there)
}
