package peribolos_test

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/peribolos"
)

var _ = Describe("Manifests", func() {
	const configuration = `orgs:
  acme:
    admins: [ana]
    members: [bo]
    teams:
      shop:
        members: [bo]
        teams:
          web: {members: [bo], repos: {a: read, b: admin}}
      empty:
`

	It("are written with what was said and nothing else", func() {
		imported := importFiles(map[string]string{"a.yaml": configuration}, "a.yaml")
		manifests, err := peribolos.Manifests(imported.objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(manifests)).To(Equal(`apiVersion: v1
kind: Namespace
metadata:
  labels:
    roster.dev/organization: acme
  name: org-acme
---
apiVersion: roster.dev/v1alpha1
kind: Organization
metadata:
  name: acme
spec:
  owners:
  - ana
---
apiVersion: roster.dev/v1alpha1
kind: Membership
metadata:
  name: bo
  namespace: org-acme
spec:
  user: bo
---
apiVersion: roster.dev/v1alpha1
kind: Project
metadata:
  name: a
  namespace: org-acme
spec: {}
---
apiVersion: roster.dev/v1alpha1
kind: Project
metadata:
  name: b
  namespace: org-acme
spec: {}
---
apiVersion: roster.dev/v1alpha1
kind: Team
metadata:
  name: empty
  namespace: org-acme
spec: {}
---
apiVersion: roster.dev/v1alpha1
kind: Team
metadata:
  name: shop
  namespace: org-acme
spec:
  members:
  - bo
---
apiVersion: roster.dev/v1alpha1
kind: Team
metadata:
  name: web
  namespace: org-acme
spec:
  members:
  - bo
  parent: shop
---
apiVersion: roster.dev/v1alpha1
kind: RoleBinding
metadata:
  name: web-administrator
  namespace: org-acme
spec:
  projects:
  - b
  role: administrator
  subjects:
  - kind: Team
    name: web
---
apiVersion: roster.dev/v1alpha1
kind: RoleBinding
metadata:
  name: web-viewer
  namespace: org-acme
spec:
  projects:
  - a
  role: viewer
  subjects:
  - kind: Team
    name: web
`))
	})

	It("are one file a kind, in the order in which they are applied, which hold the same", func() {
		imported := importFiles(map[string]string{"a.yaml": configuration}, "a.yaml")
		files, err := peribolos.Files(imported.objects)
		Expect(err).NotTo(HaveOccurred())
		var names []string
		var data [][]byte
		for _, file := range files {
			names, data = append(names, file.Name), append(data, file.Data)
		}
		Expect(names).To(Equal([]string{
			"00-namespaces.yaml", "10-organizations.yaml", "20-memberships.yaml", "30-projects.yaml", "40-teams.yaml",
			"50-rolebindings.yaml",
		}))
		Expect(peribolos.Manifests(imported.objects)).To(Equal(bytes.Join(data, []byte("---\n"))))
	})
})
