package commands

import "slices"

// hierarchy is who is below whom, by names. Broken references and cycles lose an edge, so that every name is reached from
// exactly one root.
type hierarchy struct {
	roots    []string
	children map[string][]string
}

// newHierarchy takes names with their parents. A parent that isn't among the names is as good as none.
func newHierarchy(parents map[string]string) hierarchy {
	found := hierarchy{children: map[string][]string{}}
	names := make([]string, 0, len(parents))
	for name := range parents {
		names = append(names, name)
	}
	slices.Sort(names)
	cut := map[string]bool{}
	for _, name := range names {
		parent := parents[name]
		if _, known := parents[parent]; !known || endsInItself(name, parents, cut) {
			cut[name] = true
			found.roots = append(found.roots, name)
			continue
		}
		found.children[parent] = append(found.children[parent], name)
	}
	return found
}

// endsInItself says whether the way up from a name comes back to it. Who was cut off before has no way up.
func endsInItself(name string, parents map[string]string, cut map[string]bool) bool {
	seen := map[string]bool{}
	for at := name; !cut[at] && !seen[at]; at = parents[at] {
		seen[at] = true
		if _, known := parents[parents[at]]; !known {
			return false
		}
		if parents[at] == name {
			return true
		}
	}
	return false
}

// below are some names and all that is below them.
func (h hierarchy) below(names []string) []string {
	found := slices.Clone(names)
	for next := 0; next < len(found); next++ {
		found = append(found, h.children[found[next]]...)
	}
	return found
}
