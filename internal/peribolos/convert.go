package peribolos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
)

// Bounds of the API. What a configuration has beyond them is said.
const (
	maxDisplayName = 200
	maxDescription = 2000
	maxUsername    = 253
	maxOwners      = 50
	maxTeamMembers = 5000
	maxMaintainers = 50
	maxProjects    = 2000
)

// reservedNames can't be an organization's, nor can what begins with reservedPrefixes: namespaces are named after
// organizations, and these would look like the cluster's own or like those of other organizations.
var (
	reservedNames    = sets.New("org", "roster", "default", "kube")
	reservedPrefixes = []string{v1alpha1.OrganizationNamespacePrefix, "kube-"}
)

// converter turns organizations into objects and collects what can't be carried over.
type converter struct {
	objects  []client.Object
	problems problemList
	// namespaces are those that projects have so far, across organizations.
	namespaces sets.Set[string]
}

// organizationConverter turns one organization into objects.
type organizationConverter struct {
	*converter
	organization *organization
	// name is the object's name, which the organization's own may not be fit for.
	name string
	// people are those in the organization, as they are written there first, by their lower-case names: GitHub doesn't
	// tell logins apart by case.
	people map[string]name
}

// Convert returns the objects for a configuration in a fixed order, and what they can't carry over in the order of the
// files. It fails where no Organization can be made.
func Convert(configuration *Configuration) ([]client.Object, []Problem, error) {
	converter := &converter{
		problems:   slices.Clone(configuration.problems),
		namespaces: sets.New[string](),
	}
	called := make([]string, 0, len(configuration.organizations))
	for _, organization := range configuration.organizations {
		called = append(called, organization.name.text)
	}
	labels := names.Unique(called, v1alpha1.MaxOrganizationNameLength)
	for _, organization := range configuration.organizations {
		one := organizationConverter{
			converter:    converter,
			organization: organization,
			name:         labels[organization.name.text],
			people:       map[string]name{},
		}
		if err := one.convert(); err != nil {
			return nil, nil, err
		}
	}
	sortObjects(converter.objects)
	return converter.objects, converter.problems.sorted(), nil
}

// convert adds the organization's objects.
func (c *organizationConverter) convert() error {
	if err := c.checkName(); err != nil {
		return err
	}
	owners, administrators := c.owners()
	if len(owners) == 0 {
		return &InputError{Place: c.organization.name.place, Message: fmt.Sprintf(
			"organization %q has no admins, and an Organization has at least one owner; list somebody under admins",
			c.organization.name.text)}
	}
	c.addOrganization(owners)
	for _, administrator := range administrators {
		c.addMembership(administrator, v1alpha1.RoleAdministrator)
	}
	for _, member := range c.register("members", c.organization.members) {
		c.addMembership(member)
	}
	c.addTeamsAndProjects()
	return nil
}

// checkName refuses a name that an Organization can't have, and says where it isn't the configuration's.
func (c *organizationConverter) checkName() error {
	original := c.organization.name
	reserved := slices.ContainsFunc(reservedPrefixes, func(prefix string) bool {
		return strings.HasPrefix(c.name, prefix)
	})
	if reserved || reservedNames.Has(c.name) {
		return &InputError{Place: original.place, Message: fmt.Sprintf(
			"%q can't be an organization's name, as its namespaces would look like the cluster's own; choose another one "+
				"with --organization", c.name)}
	}
	if c.name != original.text {
		c.problems.add(original.place, "organization %q isn't a DNS label of at most %d characters; it becomes %q",
			original.text, v1alpha1.MaxOrganizationNameLength, c.name)
	}
	return nil
}

// owners returns the admins whom the organization has place for as owners, and the others.
func (c *organizationConverter) owners() (owners, others []string) {
	admins := c.register("admins", c.organization.admins)
	if len(admins) <= maxOwners {
		return admins, nil
	}
	owners, others = admins[:maxOwners], admins[maxOwners:]
	c.problems.add(c.people[strings.ToLower(others[0])].place, "organization %q has %d admins, and an Organization at "+
		"most %d owners; the first %d become owners, and members with the role %s: %s", c.organization.name.text,
		len(admins), maxOwners, maxOwners, v1alpha1.RoleAdministrator, strings.Join(others, ", "))
	return owners, others
}

// register returns the usernames of a list of the organization that are valid and new, and remembers them.
func (c *organizationConverter) register(list string, entries []name) []string {
	usernames := make([]string, 0, len(entries))
	for _, entry := range entries {
		if fault := usernameFault(entry.text); fault != "" {
			c.problems.add(entry.place, "%s: %q %s; it is left out", list, entry.text, fault)
			continue
		}
		key := strings.ToLower(entry.text)
		if known, found := c.people[key]; found {
			c.problems.add(entry.place, "%s: %q is in the organization already, as %q at %s; this entry is left out",
				list, entry.text, known.text, known.place)
			continue
		}
		c.people[key] = entry
		usernames = append(usernames, entry.text)
	}
	return usernames
}

// usernameFault says why a text can't be a username, if it can't.
func usernameFault(text string) string {
	switch {
	case text == "":
		return "is no username"
	case utf8.RuneCountInString(text) > maxUsername:
		return fmt.Sprintf("has more than the %d characters of a username", maxUsername)
	case strings.HasPrefix(text, "system:"):
		return "is a name of Kubernetes itself and can't be given access"
	}
	return ""
}

// addOrganization adds the Organization and its namespace, which carries the label that lets Roster use it.
func (c *organizationConverter) addOrganization(owners []string) {
	original := c.organization
	displayName := original.displayName
	if displayName.text == "" && original.name.text != c.name {
		displayName = original.name
	}
	c.objects = append(c.objects,
		&corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{
				Name:   v1alpha1.OrganizationNamespace(c.name),
				Labels: map[string]string{v1alpha1.LabelOrganization: c.name},
			},
		},
		&v1alpha1.Organization{
			TypeMeta:   typeMeta("Organization"),
			ObjectMeta: metav1.ObjectMeta{Name: c.name},
			Spec: v1alpha1.OrganizationSpec{
				DisplayName: c.shortened("name of the organization", displayName, maxDisplayName),
				Description: c.shortened("description of the organization", original.description, maxDescription),
				Owners:      sortedUsernames(owners),
			},
		})
}

// addMembership adds a member, who has the organization's default roles where none are given.
func (c *organizationConverter) addMembership(username string, roles ...v1alpha1.RoleName) {
	c.objects = append(c.objects, &v1alpha1.Membership{
		TypeMeta:   typeMeta("Membership"),
		ObjectMeta: c.objectMeta(names.FromUsername(username)),
		Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(username), Roles: roles},
	})
}

// objectMeta names an object in the organization's namespace.
func (c *organizationConverter) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(c.name), Name: name}
}

// shortened returns a text that has at most so many characters, and says so where it had more.
func (c *converter) shortened(what string, text name, maxLength int) string {
	if utf8.RuneCountInString(text.text) <= maxLength {
		return text.text
	}
	c.problems.add(text.place, "the %s has more than %d characters and is cut", what, maxLength)
	return string([]rune(text.text)[:maxLength-1]) + "…"
}

// typeMeta returns the type of an object of Roster's.
func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
}

// sortedUsernames returns usernames as people look them up: by letter, whatever the case.
func sortedUsernames(usernames []string) []v1alpha1.Username {
	sorted := make([]v1alpha1.Username, 0, len(usernames))
	for _, username := range usernames {
		sorted = append(sorted, v1alpha1.Username(username))
	}
	slices.SortFunc(sorted, func(a, b v1alpha1.Username) int {
		return cmp.Or(strings.Compare(strings.ToLower(string(a)), strings.ToLower(string(b))), cmp.Compare(a, b))
	})
	return sorted
}
