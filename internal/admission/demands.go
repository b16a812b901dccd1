package admission

import (
	"slices"

	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// demand is the right to give a role in an organization, which a change takes.
type demand struct {
	authority.Demand
	organization string
}

// demandHere notes rights that must be held in the organization of the changed object.
func (r *review) demandHere(demands []authority.Demand) {
	for _, each := range demands {
		r.demands = append(r.demands, demand{each, r.organization})
	}
}

// askForDemands refuses a change that takes a right which its author doesn't hold.
func (r *review) askForDemands() error {
	demands, err := r.everywhere()
	if err != nil {
		return err
	}
	for _, each := range demands {
		// The answers are asked for together, and waited for one after the other.
		answer := r.answer(assignment(string(each.Role), each.organization))
		go func() { _, _ = answer() }()
	}
	for _, each := range demands {
		may, err := r.mayAssign(string(each.Role), each.organization)
		if err != nil {
			return err
		}
		if !may {
			return r.refuse(each)
		}
	}
	return nil
}

// everywhere are the demands, those for a role that reaches further down in each organization below too.
func (r *review) everywhere() ([]demand, error) {
	result := slices.Clone(r.demands)
	for _, each := range r.demands {
		if !each.Everywhere {
			continue
		}
		below, err := snapshot.Descendants(r.ctx, r.worldAfter, each.organization)
		if err != nil {
			return nil, err
		}
		for _, organization := range below {
			result = append(result, demand{each.Demand, organization})
		}
	}
	return result, nil
}

// refuse says which right is missing, and who holds it.
func (r *review) refuse(missing demand) error {
	carrier, reach, instead := "", "", ""
	if missing.Carrier != "" {
		carrier = ", which " + missing.Carrier + " carries,"
	}
	if missing.organization != r.organization {
		reach = ", which this reaches too"
	}
	if missing.Instead != "" {
		instead = missing.Instead + ", or "
	}
	return forbidden(ruleMayNotAssign, "%s: %s takes the verb \"assign\" on role %q%s in organization %s%s; %sask an owner of %s",
		missing.Field, missing.Change, missing.Role, carrier, missing.organization, reach, instead, r.organization)
}
