package rbac

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// comparison is how the subjects of a binding change.
type comparison struct {
	equal bool
	// gained and lost are who comes in and who goes out, sorted.
	gained, lost []rbacv1.Subject
}

// comparisons remembers how lists of subjects compare, by where they lie in memory: in a thousand namespaces it is often
// the same two.
type comparisons map[[2]location]comparison

// location is where a list lies.
type location struct {
	first  *rbacv1.Subject
	length int
}

func locationOf(subjects []rbacv1.Subject) location {
	if len(subjects) == 0 {
		return location{}
	}
	return location{first: &subjects[0], length: len(subjects)}
}

// of compares what is, in any order, with what is to be, which is sorted.
func (c comparisons) of(before, after []rbacv1.Subject) comparison {
	key := [2]location{locationOf(before), locationOf(after)}
	compared, known := c[key]
	if !known {
		compared = compare(before, after)
		c[key] = compared
	}
	return compared
}

func compare(before, after []rbacv1.Subject) comparison {
	if slices.Equal(before, after) {
		return comparison{equal: true}
	}
	before = sorted(before)
	return comparison{gained: minus(after, before), lost: minus(before, after)}
}
