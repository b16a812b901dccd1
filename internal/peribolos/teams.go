package peribolos

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
)

// roleOfPermission is the role that gives in a project what a permission gives in a repository. A permission "none" and
// one that isn't here give nothing.
var roleOfPermission = map[string]v1alpha1.RoleName{
	"read":     v1alpha1.RoleViewer,
	"triage":   v1alpha1.RoleViewer,
	"write":    v1alpha1.RoleDeveloper,
	"maintain": v1alpha1.RoleMaintainer,
	"admin":    v1alpha1.RoleAdministrator,
}

// nestedTeam is a team and the name of the one above it.
type nestedTeam struct {
	team
	parent string
}

// addTeamsAndProjects adds the teams, their grants, and the projects that the grants name.
func (c *organizationConverter) addTeamsAndProjects() {
	teams := c.flatten(c.organization.teams, "", map[string]Place{})
	teamNames := c.teamNames(teams)
	projectNames := c.addProjects(teams)
	for _, team := range teams {
		c.addTeam(team, teamNames, c.projectsByRole(team, projectNames))
	}
}

// flatten returns the teams and those below them, without those whose name was seen already.
func (c *organizationConverter) flatten(teams []team, parent string, seen map[string]Place) []nestedTeam {
	var flat []nestedTeam
	for _, team := range teams {
		called := team.name
		if first, found := seen[called.text]; found {
			c.problems.add(called.place, "team %q is defined already at %s; this definition and the teams below it are "+
				"left out", called.text, first)
			continue
		}
		seen[called.text] = called.place
		flat = append(flat, nestedTeam{team: team, parent: parent})
		flat = append(flat, c.flatten(team.teams, called.text, seen)...)
	}
	return flat
}

// teamNames returns the object's name for each team, and says which aren't the team's.
func (c *organizationConverter) teamNames(teams []nestedTeam) map[string]string {
	called := make([]string, 0, len(teams))
	for _, team := range teams {
		called = append(called, team.name.text)
	}
	labels := names.Unique(called, names.MaxLength)
	for _, team := range teams {
		if label := labels[team.name.text]; label != team.name.text {
			c.problems.add(team.name.place, "team %q isn't a DNS label of at most %d characters; it becomes %q",
				team.name.text, names.MaxLength, label)
		}
	}
	return labels
}

// addProjects adds a project for each repository that a team is granted, and returns the projects' names by the
// repositories' names in lower case: GitHub doesn't tell repositories apart by case.
func (c *organizationConverter) addProjects(teams []nestedTeam) map[string]string {
	repositories := map[string]name{}
	for _, team := range teams {
		for _, grant := range team.grants {
			key := strings.ToLower(grant.repository.text)
			if _, found := repositories[key]; !found && roleOfPermission[grant.permission] != "" {
				repositories[key] = grant.repository
			}
		}
	}
	called := make([]string, 0, len(repositories))
	for _, repository := range repositories {
		called = append(called, repository.text)
	}
	// A project's namespace is named after the organization and the project, with a hyphen between them.
	labels := names.Unique(called, c.maxProjectName())
	projectNames := make(map[string]string, len(repositories))
	for _, key := range slices.Sorted(maps.Keys(repositories)) {
		repository := repositories[key]
		projectNames[key] = labels[repository.text]
		c.addProject(repository, projectNames[key])
	}
	return projectNames
}

// maxProjectName is how long a project's name may be, so that its namespace ORGANIZATION-PROJECT is a DNS label.
func (c *organizationConverter) maxProjectName() int {
	return validation.DNS1123LabelMaxLength - len(c.name) - len("-")
}

// addProject adds the project for a repository.
func (c *organizationConverter) addProject(repository name, label string) {
	project := &v1alpha1.Project{TypeMeta: typeMeta("Project"), ObjectMeta: c.objectMeta(label)}
	if label != repository.text {
		c.problems.add(repository.place, "repository %q isn't a DNS label of at most %d characters; its project becomes %q",
			repository.text, c.maxProjectName(), label)
		project.Spec.DisplayName = c.shortened("name of the repository", repository, maxDisplayName)
	}
	namespace := project.NamespaceNames()[0]
	if c.namespaces.Has(namespace) {
		// The slash can't be in a name, so this one always ends with a hash.
		own := names.Label(c.name+"/"+label, names.MaxLength)
		c.problems.add(repository.place, "project %q of organization %q would share the namespace %q with a project of "+
			"another organization; its namespace becomes %q", label, c.name, namespace, own)
		project.Spec.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(own)}
	}
	c.namespaces.Insert(namespace)
	c.objects = append(c.objects, project)
}

// projectsByRole returns the projects in which a team holds each role, and says which permissions it doesn't know.
func (c *organizationConverter) projectsByRole(team nestedTeam, projectNames map[string]string,
) map[v1alpha1.RoleName][]v1alpha1.ObjectName {
	projects := map[v1alpha1.RoleName]sets.Set[v1alpha1.ObjectName]{}
	for _, grant := range team.grants {
		role, known := roleOfPermission[grant.permission]
		if !known {
			if grant.permission != "none" {
				c.problems.add(grant.repository.place, "team %q: permission %q on repository %q isn't one of read, triage, "+
					"write, maintain and admin; it is left out", team.name.text, grant.permission, grant.repository.text)
			}
			continue
		}
		if projects[role] == nil {
			projects[role] = sets.New[v1alpha1.ObjectName]()
		}
		projects[role].Insert(v1alpha1.ObjectName(projectNames[strings.ToLower(grant.repository.text)]))
	}
	sorted := make(map[v1alpha1.RoleName][]v1alpha1.ObjectName, len(projects))
	for role, inRole := range projects {
		sorted[role] = sets.List(inRole)
	}
	return sorted
}

// addTeam adds a team. Its grants are its own where they are of one role; otherwise they are RoleBindings with the team
// as subject, one a role.
func (c *organizationConverter) addTeam(team nestedTeam, teamNames map[string]string,
	projects map[v1alpha1.RoleName][]v1alpha1.ObjectName,
) {
	object := &v1alpha1.Team{
		TypeMeta:   typeMeta("Team"),
		ObjectMeta: c.objectMeta(teamNames[team.name.text]),
		Spec: v1alpha1.TeamSpec{
			Description: c.shortened(fmt.Sprintf("description of team %q", team.name.text), team.description, maxDescription),
			Parent:      v1alpha1.ObjectName(teamNames[team.parent]),
		},
	}
	if object.Name != team.name.text {
		object.Spec.DisplayName = c.shortened("name of the team", team.name, maxDisplayName)
	}
	object.Spec.Members, object.Spec.Maintainers = c.seats(team)
	c.objects = append(c.objects, object)
	for role, inRole := range projects {
		if len(projects) == 1 && len(inRole) <= maxProjects {
			object.Spec.Role, object.Spec.Projects = role, inRole
			continue
		}
		c.addRoleBindings(object, role, inRole)
	}
}

// addRoleBindings adds a team's grant of a role as RoleBindings, of which each holds as many projects as one may.
func (c *organizationConverter) addRoleBindings(team *v1alpha1.Team, role v1alpha1.RoleName,
	projects []v1alpha1.ObjectName,
) {
	called, parts := fmt.Sprintf("%s-%s", team.Name, role), 0
	for part := range slices.Chunk(projects, maxProjects) {
		binding := &v1alpha1.RoleBinding{
			TypeMeta:   typeMeta("RoleBinding"),
			ObjectMeta: c.objectMeta(called),
			Spec: v1alpha1.RoleBindingSpec{
				Role:     role,
				Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: team.Name}},
				Projects: part,
			},
		}
		if parts++; parts > 1 {
			binding.Name = fmt.Sprintf("%s-%d", called, parts)
		}
		c.objects = append(c.objects, binding)
	}
}

// seats returns a team's members, to whom its maintainers belong too, and its maintainers.
func (c *organizationConverter) seats(team nestedTeam) (members, maintainers []v1alpha1.Username) {
	inMembers := c.resolve("member", team, team.members)
	inMaintainers := c.resolve("maintainer", team, team.maintainers)
	all := slices.Clone(inMaintainers)
	for _, member := range inMembers {
		if !slices.Contains(inMaintainers, member) {
			all = append(all, member)
		}
	}
	if len(inMaintainers) > maxMaintainers {
		c.problems.add(team.name.place, "team %q has %d maintainers, and a Team at most %d; the others become members: %s",
			team.name.text, len(inMaintainers), maxMaintainers, strings.Join(inMaintainers[maxMaintainers:], ", "))
		inMaintainers = inMaintainers[:maxMaintainers]
	}
	if len(all) > maxTeamMembers {
		c.problems.add(team.name.place, "team %q has %d members, and a Team at most %d; left out are: %s",
			team.name.text, len(all), maxTeamMembers, strings.Join(all[maxTeamMembers:], ", "))
		all = all[:maxTeamMembers]
	}
	return sortedUsernames(all), sortedUsernames(inMaintainers)
}

// resolve returns the entries of a team's list as the organization writes them, once each, and says who isn't in it.
func (c *organizationConverter) resolve(what string, team nestedTeam, entries []name) []string {
	usernames := make([]string, 0, len(entries))
	seen := sets.New[string]()
	for _, entry := range entries {
		person, found := c.people[strings.ToLower(entry.text)]
		switch {
		case !found:
			c.problems.add(entry.place, "team %q: %s %q isn't in the organization; it is left out",
				team.name.text, what, entry.text)
		case seen.Has(person.text):
			c.problems.add(entry.place, "team %q: %s %q is listed twice; this entry is left out",
				team.name.text, what, entry.text)
		default:
			seen.Insert(person.text)
			usernames = append(usernames, person.text)
		}
	}
	return usernames
}
