package peribolos_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("The organization's name", func() {
	const admins = "admins: [ana]\n"

	DescribeTable("is found",
		func(given, file, path, expected string) {
			imported := importAs(given, map[string]string{file: admins}, path)
			Expect(namesOf[*v1alpha1.Organization](imported)).To(Equal([]string{expected}))
			Expect(imported.problems).To(BeEmpty())
		},
		Entry("in the folder's name", "", "acme/org.yaml", "acme", "acme"),
		Entry("in the folder's name, whatever the file is called", "", "acme/people.yml", "acme", "acme"),
		Entry("in the name of the folder that has the org.yaml", "", "config/acme/org.yaml", "config", "acme"),
		Entry("in the name of org.yaml's folder", "", "acme/org.yaml", "acme/org.yaml", "acme"),
		Entry("in the file's name", "", "acme.yaml", "acme.yaml", "acme"),
		Entry("in what was given", "other", "acme/org.yaml", "acme", "other"),
	)

	It("is the key under orgs, and what was given goes before it", func() {
		files := map[string]string{"x/y.yaml": "orgs:\n  acme:\n    admins: [ana]\n"}
		Expect(namesOf[*v1alpha1.Organization](importFiles(files, "x"))).To(Equal([]string{"acme"}))
		Expect(namesOf[*v1alpha1.Organization](importAs("other", files, "x"))).To(Equal([]string{"other"}))
	})

	It("can't be given to two organizations", func() {
		imported := importAs("other", map[string]string{"a.yaml": "orgs: {b: {admins: [x]}, c: {admins: [x]}}"}, "a.yaml")
		Expect(imported.err).To(Equal(`organization "other" can be the name of one organization, and the input has 2: b, c; ` +
			`leave the name out, or import them one by one`))
	})
})

var _ = Describe("Files", func() {
	It("of a folder make one organization together", func() {
		imported := importFiles(map[string]string{
			"acme/org.yaml":         "name: Acme\nadmins: [ana]\nmembers: [bo]\nteams: {top: {members: [bo]}}\n",
			"acme/sales/teams.yaml": "teams: {sales: {members: [bo]}}\n",
			"acme/x/y/teams.yaml":   "teams: {deep: {members: [ana]}}\n",
		})
		Expect(namesOf[*v1alpha1.Organization](imported)).To(Equal([]string{"acme"}))
		Expect(namesOf[*v1alpha1.Team](imported)).To(Equal([]string{"deep", "sales", "top"}))
		Expect(imported.problems).To(BeEmpty())
	})

	It("of folders with an org.yaml each make several organizations", func() {
		imported := importFiles(map[string]string{
			"config/acme/org.yaml":      "admins: [ana]\n",
			"config/acme/x/teams.yaml":  "teams: {ours: {members: [ana]}}\n",
			"config/other/org.yaml":     "admins: [bo]\n",
			"config/other/x/teams.yaml": "teams: {theirs: {members: [bo]}}\n",
		}, "config")
		Expect(namesOf[*v1alpha1.Organization](imported)).To(Equal([]string{"acme", "other"}))
		Expect(one[*v1alpha1.Team](imported, "ours").Namespace).To(Equal("org-acme"))
		Expect(one[*v1alpha1.Team](imported, "theirs").Namespace).To(Equal("org-other"))
	})

	It("that are given one by one make one organization under a given name", func() {
		imported := importAs("acme", map[string]string{
			"one.yaml": "admins: [ana]\n",
			"two.yaml": "teams: {shop: {members: [ana]}}\n",
		}, "one.yaml", "two.yaml")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Members).To(Equal(usernames("ana")))
	})

	It("may hold other configuration beside orgs, as prow's do", func() {
		imported := importFiles(map[string]string{"a.yaml": "plank: {a: b}\norgs: {acme: {admins: [ana]}}\n"}, "a.yaml")
		Expect(namesOf[*v1alpha1.Organization](imported)).To(Equal([]string{"acme"}))
	})

	It("have all that they say of organizations under orgs, or it is said", func() {
		imported := importFiles(map[string]string{"a.yaml": "orgs: {acme: {admins: [ana]}}\nmembers: [bo]\n"}, "a.yaml")
		Expect(all[*v1alpha1.Membership](imported)).To(BeEmpty())
		Expect(imported.problems).To(Equal([]string{
			`a.yaml:2: members beside orgs isn't carried over; put it under the organization that it belongs to`,
		}))
	})

	It("may say things once and refer to them by aliases", func() {
		imported := importOrganization("admins: &us [ana, bo]\nteams: {shop: {members: *us}}\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Members).To(Equal(usernames("ana", "bo")))
	})

	It("that aren't there are said", func() {
		Expect(importFiles(nil, "missing.yaml").err).To(Equal("stat missing.yaml: no such file or directory"))
	})
})

var _ = Describe("A file that can't be read ends the import with its line", func() {
	DescribeTable("because",
		func(content, message string) {
			Expect(importOrganization(content).err).To(Equal("acme/org.yaml:" + message))
		},
		Entry("it is no YAML", "admins:\n- ana\n members: [bo\n",
			"3: not valid YAML: mapping values are not allowed in this context"),
		Entry("it has a tab", "admins:\n\t- ana\n",
			"2: not valid YAML: found character that cannot start any token"),
		Entry("it isn't text", "\x00\x01", "1: not valid YAML: control characters are not allowed"),
		Entry("it repeats a key", "admins: [ana]\nmembers: [bo]\nadmins: [cy]\n",
			`3: not valid YAML: mapping key "admins" already defined at line 1`),
		Entry("it holds itself by an alias", "admins: [ana]\nteams: &t\n  a:\n    teams: *t\n",
			"1: not valid YAML: anchor 't' value contains itself"),
		Entry("it is empty", "", "1: the file holds no YAML document"),
		Entry("it has two documents", "admins: [ana]\n---\nadmins: [bo]\n",
			"2: the file holds more than one YAML document; put each into a file of its own"),
		Entry("it is a list", "- ana\n", "1: "+notPeribolos),
		Entry("it is one text", "# nothing\nana\n", "2: "+notPeribolos),
		Entry("it is something else", "# nothing\napiVersion: v1\nkind: ConfigMap\n", "2: "+notPeribolos),
		Entry("orgs is a list", "orgs:\n- acme\n", "2: orgs: expected a mapping, found a list"),
		Entry("orgs is empty", "\norgs:\n", "2: orgs names no organization"),
		Entry("an organization is a list", "orgs:\n  acme:\n  - a\n", "3: organization: expected a mapping, found a list"),
		Entry("admins is a mapping", "admins:\n  ana: yes\n", "2: admins: expected a list of names, found a mapping"),
		Entry("members is one text", "admins: [ana]\nmembers: bo\n",
			`2: members: expected a list of names, found "bo"`),
		Entry("a member is a mapping", "admins:\n- ana\nmembers:\n- bo\n- name: cy\n",
			"5: members: expected a name in the list, found a mapping"),
		Entry("a member is nothing", "admins:\n- ana\n-\n", "3: admins: expected a name in the list, found nothing"),
		Entry("a description is a list", "admins: [ana]\ndescription: [a]\n",
			"2: description: expected a single value, found a list"),
		Entry("teams is a list", "admins: [ana]\nteams:\n- shop\n", "3: teams: expected a mapping, found a list"),
		Entry("a team is a list", "admins: [ana]\nteams:\n  shop: [ana]\n", "3: team: expected a mapping, found a list"),
		Entry("a team has no name", "admins: [ana]\nteams:\n  '': {members: [ana]}\n",
			`3: teams: expected a name as the key, found ""`),
		Entry("a team's members are a mapping", "admins: [ana]\nteams:\n  shop:\n    members: {ana: }\n",
			"4: members: expected a list of names, found a mapping"),
		Entry("a team's repos are a list", "admins: [ana]\nteams:\n  shop:\n    repos: [web]\n",
			"4: repos: expected a mapping, found a list"),
		Entry("a permission is a list", "admins: [ana]\nteams:\n  shop:\n    repos: {web: [read]}\n",
			"4: repos: expected a single value, found a list"),
		Entry("a repository's settings are one text", "admins: [ana]\nrepos:\n  web: public\n",
			`3: repos: expected a mapping, found "public"`),
		Entry("it merges mappings", "admins: [ana]\nteams:\n  a: &a {members: [ana]}\n  b:\n    <<: *a\n",
			"5: team: merge keys (<<) aren't supported; write the entries out"),
	)

	It("because a file in a folder is something else", func() {
		imported := importFiles(map[string]string{"acme/org.yaml": "admins: [ana]\n", "acme/other.yaml": "a: b\n"})
		Expect(imported.err).To(Equal("acme/other.yaml:1: " + notPeribolos))
	})

	It("because a folder has none", func() {
		Expect(importFiles(map[string]string{"acme/README.md": "text"}).err).To(
			Equal("acme: the folder holds no YAML file (*.yaml, *.yml)"))
	})
})

const notPeribolos = "not a peribolos configuration: expected the key orgs, or admins, members or teams, at the top of " +
	"the file"
