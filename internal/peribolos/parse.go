package peribolos

import (
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/sets"
)

// organization is one organization of a configuration, possibly put together from several files.
type organization struct {
	name                     name
	displayName, description name
	admins, members          []name
	teams                    []team
}

// team is a team of an organization with the teams below it.
type team struct {
	name                 name
	description          name
	members, maintainers []name
	grants               []grant
	teams                []team
}

// grant is a team's permission on a repository.
type grant struct {
	repository name
	permission string
}

// organizationKeys are the keys of which a file has at least one that describes an organization or a part of it.
var organizationKeys = sets.New("admins", "members", "teams")

// Settings of organizations and teams that give nobody access. They are GitHub's own and are left out without a word.
var (
	organizationSettings = sets.New("billing_email", "company", "email", "location",
		"has_organization_projects", "has_repository_projects")
	teamSettings = sets.New("privacy", "previously")
)

// parser reads organizations out of one file and collects what can't be carried over.
type parser struct {
	document
	problems problemList
}

// parse returns the organizations of a file. A file without the key orgs describes a part of one, which has no name yet.
func (p *parser) parse(data []byte) ([]organization, error) {
	root, err := p.decode(data)
	if err != nil {
		return nil, err
	}
	if resolved(root).Kind != yaml.MappingNode {
		return nil, p.notPeribolos(root)
	}
	fields, err := p.fields("the file", root)
	if err != nil {
		return nil, err
	}
	orgs := slices.IndexFunc(fields, func(field field) bool { return field.text == "orgs" })
	parts := slices.DeleteFunc(slices.Clone(fields), func(field field) bool { return !organizationKeys.Has(field.text) })
	switch {
	case orgs >= 0:
		for _, part := range parts {
			p.problems.add(part.place, "%s beside orgs isn't carried over; put it under the organization that it belongs to",
				part.text)
		}
		return p.organizations(fields[orgs])
	case len(parts) == 0:
		return nil, p.notPeribolos(root)
	}
	part, err := p.organization(name{place: p.place(root)}, root)
	return []organization{part}, err
}

func (p *parser) notPeribolos(root *yaml.Node) error {
	return p.failure(root, "not a peribolos configuration: expected the key orgs, or admins, members or teams, "+
		"at the top of the file")
}

// organizations reads the value of orgs.
func (p *parser) organizations(orgs field) ([]organization, error) {
	fields, err := p.fields("orgs", orgs.value)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, &InputError{Place: orgs.place, Message: "orgs names no organization"}
	}
	organizations := make([]organization, 0, len(fields))
	for _, field := range fields {
		read, err := p.organization(field.name, field.value)
		if err != nil {
			return nil, err
		}
		organizations = append(organizations, read)
	}
	return organizations, nil
}

// organization reads one organization.
func (p *parser) organization(called name, node *yaml.Node) (organization, error) {
	read := organization{name: called}
	fields, err := p.fields("organization", node)
	for i := 0; i < len(fields) && err == nil; i++ {
		field := fields[i]
		switch field.text {
		case "name":
			read.displayName, err = p.text("name", field.value)
		case "description":
			read.description, err = p.text("description", field.value)
		case "admins":
			read.admins, err = p.names("admins", field.value)
		case "members":
			read.members, err = p.names("members", field.value)
		case "teams":
			read.teams, err = p.teams(field.value)
		case "repos":
			err = p.repositories(field)
		default:
			err = p.organizationSetting(field)
		}
	}
	return read, err
}

// organizationSetting says of a setting that gives access that it can't be carried over; others are nothing to Roster.
func (p *parser) organizationSetting(setting field) error {
	if organizationSettings.Has(setting.text) {
		return nil
	}
	switch setting.text {
	case "default_repository_permission":
		value, err := p.text(setting.text, setting.value)
		if err == nil && value.text != "none" && value.text != "" {
			p.problems.add(setting.place, "default_repository_permission %q isn't carried over: members see the "+
				"organization, but hold nothing in its projects; to give every member a role in all of them, set "+
				"spec.membership.defaultRoles of the Organization, such as [viewer] for read", value.text)
		}
		return err
	case "members_can_create_repositories":
		value, err := p.text(setting.text, setting.value)
		if err == nil && value.text == "true" {
			p.problems.add(setting.place, "members_can_create_repositories isn't carried over: who may make projects "+
				"needs the role maintainer")
		}
		return err
	case "roles":
		p.problems.add(setting.place, "roles (GitHub's organization roles) aren't carried over; make RoleBindings with "+
			"organizationWide: true for what they gave")
	default:
		p.problems.add(setting.place, "unknown key %q of an organization isn't carried over; if it gives access, make a "+
			"RoleBinding for it", setting.text)
	}
	return nil
}

// repositories looks for access in the settings of repositories; the settings themselves are nothing to Roster.
func (p *parser) repositories(repos field) error {
	repositories, err := p.fields("repos", repos.value)
	if err != nil {
		return err
	}
	for _, repository := range repositories {
		settings, err := p.fields("repos", repository.value)
		if err != nil {
			return err
		}
		for _, setting := range settings {
			if setting.text == "collaborators" {
				p.problems.add(setting.place, "collaborators of repository %q aren't carried over; make a RoleBinding for "+
					"them", repository.text)
			}
		}
	}
	return nil
}

// teams reads teams and those below them.
func (p *parser) teams(node *yaml.Node) ([]team, error) {
	fields, err := p.fields("teams", node)
	if err != nil {
		return nil, err
	}
	teams := make([]team, 0, len(fields))
	for _, field := range fields {
		read, err := p.team(field)
		if err != nil {
			return nil, err
		}
		teams = append(teams, read)
	}
	return teams, nil
}

// team reads one team.
func (p *parser) team(called field) (team, error) {
	read := team{name: called.name}
	fields, err := p.fields("team", called.value)
	for i := 0; i < len(fields) && err == nil; i++ {
		field := fields[i]
		switch field.text {
		case "description":
			read.description, err = p.text("description", field.value)
		case "members":
			read.members, err = p.names("members", field.value)
		case "maintainers":
			read.maintainers, err = p.names("maintainers", field.value)
		case "repos":
			read.grants, err = p.grants(field.value)
		case "teams":
			read.teams, err = p.teams(field.value)
		default:
			if !teamSettings.Has(field.text) {
				p.problems.add(field.place, "unknown key %q of team %q isn't carried over; if it gives access, make a "+
					"RoleBinding for it", field.text, called.text)
			}
		}
	}
	return read, err
}

// grants reads a team's permissions on repositories.
func (p *parser) grants(node *yaml.Node) ([]grant, error) {
	fields, err := p.fields("repos", node)
	if err != nil {
		return nil, err
	}
	grants := make([]grant, 0, len(fields))
	for _, field := range fields {
		permission, err := p.text("repos", field.value)
		if err != nil {
			return nil, err
		}
		grants = append(grants, grant{repository: field.name, permission: permission.text})
	}
	return grants, nil
}
