package commands_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

var _ = Describe("The commands that list", func() {
	const ofAcme = viewPath + "namespaces/org-acme/"
	var cluster *server

	// memberRow is a row of somebody with a name and an address.
	memberRow := func(user, displayName, email string) metav1.TableRow {
		found := member("acme", user, viewv1alpha1.MemberActive)
		found.DisplayName, found.Email = displayName, email
		return row(user, &found)
	}
	BeforeEach(func() {
		cluster = newServer()
		cluster.answers[ofAcme+"members"] = table("next", "User",
			memberRow("ana", "Ana", ""), memberRow("bo", "", "bo@acme.example"))
		cluster.answers[ofAcme+"members?next"] = table("", "User", memberRow("cy", "Boris", ""))
	})

	It("put chunks together, and show the server's columns", func() {
		cluster.prints("members --organization acme", "USER", "ana", "bo", "cy")
		cluster.prints("members -n org-acme -o wide", "USER   NAME", "ana    wide-ana", "bo     wide-bo", "cy     wide-cy")
		cluster.prints("members -n org-acme --no-headers -o table", "ana", "bo", "cy")
		cluster.prints("members -n org-acme -o name",
			"member.view.roster.dev/ana", "member.view.roster.dev/bo", "member.view.roster.dev/cy")
		Expect(cluster.run("members", "-n", "org-acme", "-o", "yaml", "--search", "ana").Output).To(Equal(`apiVersion: v1
items:
- apiVersion: view.roster.dev/v1alpha1
  displayName: Ana
  kind: Member
  metadata:
    name: ana
    namespace: org-acme
  source:
    from: acme
    type: Direct
  status: Active
  user: ana
kind: List
metadata:
  resourceVersion: ""
`))
	})

	It("find by name and address, in whatever case", func() {
		cluster.prints("members -n org-acme --search BO", "USER", "bo", "cy")
		cluster.prints("members -n org-acme --search acme.example", "USER", "bo")
		Expect(cluster.run("members", "-n", "org-acme", "--search", "zoe")).
			To(Equal(outcome{Complaints: "No members found in org-acme\n"}))
	})

	It("say that an organization without members isn't one", func() {
		cluster.answers[viewPath+"namespaces/org-acmee/members"] = table("", "User")
		Expect(cluster.run("members", "--organization", "acmee")).To(Equal(outcome{
			Complaints: "No members found in org-acmee: there is no such organization (your own: kubectl roster profile)\n"}))
	})

	It("stop at the limit, say so, and ask for no more than that", func() {
		Expect(cluster.run("members", "-n", "org-acme", "--limit", "1")).To(Equal(outcome{
			Output: "USER\nana\n", Complaints: "There are more; --limit=1 shows no more of them.\n",
		}))
		Expect(cluster.requests()).To(Equal([]string{ofAcme + "members"}))
		cluster.prints("members -n org-acme --limit 3", "USER", "ana", "bo", "cy")
	})

	It("name the organization of each row where all are asked about", func() {
		cluster.answers[viewPath+"members"] = table("", "User", memberRow("ana", "", ""))
		cluster.prints("members -A", "NAMESPACE   USER", "org-acme    ana")
	})

	It("find grants by the names of their holders, too", func() {
		grantRow := func(user, group string) metav1.TableRow {
			return row(user+group, &viewv1alpha1.Grant{
				TypeMeta: ofView("Grant"), ObjectMeta: in("acme", "x"), User: user, Group: group,
			})
		}
		cluster.answers[ofAcme+"grants"] = table("", "User", grantRow("ana", ""), grantRow("cy", ""), grantRow("", "oidc:bosses"))
		cluster.prints("grants -n org-acme --search bo", "USER", "cy", "oidc:bosses")
	})

	It("end at the first change that is too old", func() {
		changeRow := func(name, at string) metav1.TableRow {
			parsed, err := time.Parse(time.RFC3339, at)
			Expect(err).NotTo(HaveOccurred())
			return row(name, &viewv1alpha1.Activity{
				TypeMeta: ofView("Activity"), ObjectMeta: in("acme", name), Time: metav1.NewMicroTime(parsed),
			})
		}
		cluster.answers[ofAcme+"activities?actor=ana"] = table("older", "What",
			changeRow("new", "2026-02-01T00:00:00Z"), changeRow("old", "2026-01-01T00:00:00Z"))
		cluster.prints("activity -n org-acme --actor ana --since 2026-01-31", "WHAT", "new")
		cluster.prints("activity -n org-acme --actor ana --since 2026-02-01T01:00:00+01:00", "WHAT", "new")
		Expect(cluster.run("activity", "-n", "org-acme", "--actor", "ana", "--since", "2026-02-01T00:00:01Z").Output).To(BeEmpty())
		Expect(cluster.requests()).NotTo(ContainElement(ContainSubstring("older")))
		By("a duration counts back from now")
		cluster.answers[ofAcme+"activities"] = table("", "What",
			changeRow("now", time.Now().UTC().Format(time.RFC3339)), changeRow("last year", "2020-01-01T00:00:00Z"))
		cluster.prints("activity -n org-acme --since 7d", "WHAT", "now")
		cluster.prints("activity -n org-acme --since 90m", "WHAT", "now")
	})

	It("show the one profile there is", func() {
		cluster.answers[mePath] = table("", "User", row("ana", me("ana")))
		cluster.prints("profile", "USER", "ana")
		cluster.prints("profile -o jsonpath={.user}{.metadata.name}{\"\\n\"}", "aname")
	})

	DescribeTable("say what to do where there is no answer", func(answer any, command, complaint string) {
		for _, path := range []string{ofAcme + "members", ofAcme + "activities", viewPath + "members", mePath} {
			if answer != nil {
				cluster.answers[path] = answer
			} else {
				delete(cluster.answers, path)
			}
		}
		cluster.fails(command, complaint)
	},
		Entry("the view API isn't installed", nil, "members -n org-acme",
			"members.view.roster.dev isn't served here (the server could not find the requested resource (get members.view.roster.dev)): "+
				"install Roster's view API (config/apiserver); what is there says: kubectl get apiservice v1alpha1.view.roster.dev"),
		Entry("the profiles aren't", nil, "profile", "kubectl get apiservice v1alpha1.self.roster.dev"),
		Entry("the manager is away", 503, "members -n org-acme",
			"see what the API server says with: kubectl get apiservice v1alpha1.view.roster.dev; Roster's manager serves it"),
		Entry("nothing is kept", apierrors.NewServiceUnavailable("no activities are kept here"), "activity -n org-acme",
			"error: no activities are kept here\n"),
		Entry("it is forbidden", forbidden("members.view.roster.dev"), "members -n org-acme",
			"it takes the right to list members.view.roster.dev in org-acme, which the role member gives; an owner or administrator "+
				"of acme gives that by a Membership (your own organizations: kubectl roster profile)\n"),
		Entry("asking about all is forbidden", forbidden("members.view.roster.dev"), "members -A",
			"name one organization with --organization instead"),
	)

	DescribeTable("say what to do where they are called wrongly", func(command, complaint string) {
		cluster.fails(command, complaint)
		Expect(cluster.requests()).To(BeEmpty())
	},
		Entry("no organization", "members",
			`your present namespace "default" is no organization's: name one with --organization NAME or -n org-NAME`),
		Entry("two of them", "members -n org-acme --organization acme", "none of the others can be"),
		Entry("an argument", "members acme", `"acme": this takes no arguments; name an organization with --organization`),
		Entry("an unknown flag", "members --orgnization acme",
			"unknown flag: --orgnization; the flags that there are: kubectl roster members --help"),
		Entry("an unknown format", "members -n org-acme -o xml", `unable to match a printer suitable for the output format "xml"`),
		Entry("a negative limit", "members -n org-acme --limit -1", "--limit=-1: give a number of rows, or 0 for all"),
		Entry("an unreadable time", "activity -n org-acme --since yesterday",
			`--since "yesterday": give a duration such as 90m, 24h or 7d`),
		Entry("a time to come", "activity -n org-acme --since -1h", `--since "-1h": give a duration`),
		Entry("why nobody", "why", "name the USER: the username that the API server authenticates"),
		Entry("why several", "why ana bo", "name one USER only"),
		Entry("trees of several", "tree acme globex", `"globex": name one ORGANIZATION, or none for all`),
	)

	It("say what to do where an argument is empty, as an unset variable of a script", func() {
		Expect(cluster.run("why", "").Complaints).To(HavePrefix("error: name the USER"))
		Expect(cluster.requests()).To(BeEmpty())
	})
})
