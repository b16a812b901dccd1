package installation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// foundations are what all organizations rest on: how kubectl names them, and what the refusal of their deletion says.
var foundations = []struct{ what, refusal string }{
	{"customresourcedefinitions.apiextensions.k8s.io organizations.roster.dev",
		"with organizations.roster.dev go all objects of that kind, in every organization"},
	{"customresourcedefinitions.apiextensions.k8s.io memberships.roster.dev",
		"with memberships.roster.dev go all objects of that kind, in every organization"},
	{"--namespace roster-system roles.roster.dev viewer",
		"role viewer of the catalogue gives access in every organization"},
	{"namespaces roster-system", "namespace roster-system holds Roster and the catalogue of roles"},
	{"apiservices.apiregistration.k8s.io v1alpha1.view.roster.dev",
		"by v1alpha1.view.roster.dev a part of the view API is reached"},
	{"apiservices.apiregistration.k8s.io v1alpha1.self.roster.dev",
		"by v1alpha1.self.roster.dev a part of the view API is reached"},
}

// confirmation is the command that a refusal names.
func confirmation(what string) []string {
	name := what[strings.LastIndex(what, " ")+1:]
	return strings.Fields("annotate " + what + " roster.dev/confirm-deletion=" + name)
}

// expectRefused expects the deletion of each foundation to be refused with the command that confirms it.
func (i *installation) expectRefused(ctx context.Context) {
	GinkgoHelper()
	for _, foundation := range foundations {
		command := append([]string{"delete", "--wait=false"}, strings.Fields(foundation.what)...)
		Expect(strings.TrimSpace(i.kubectl(ctx, command...))).To(HaveSuffix(
			"%s, so while there are organizations its deletion has to be confirmed; if it is intended, confirm it and delete it "+
				"again: kubectl %s", foundation.refusal, strings.Join(confirmation(foundation.what), " ")))
	}
}

// expectLetThrough expects that each foundation could be deleted.
func (i *installation) expectLetThrough(ctx context.Context) {
	GinkgoHelper()
	for _, foundation := range foundations {
		command := append([]string{"delete", "--dry-run=server"}, strings.Fields(foundation.what)...)
		Eventually(i.kubectl).WithContext(ctx).WithArguments(toAny(command)...).Should(BeEmpty())
	}
}

var _ = Describe("The deletion of what organizations rest on", Ordered, func() {
	var i *installation
	var acme company

	BeforeAll(func(ctx context.Context) { i = install(ctx, environment.Options{}) })

	It("asks for nothing while there is no organization", func(ctx SpecContext) { i.expectLetThrough(ctx) })

	It("is refused while there is one, with the command that confirms it", func(ctx SpecContext) {
		acme = i.found(ctx, "acme", 1, "viewer")
		i.expectRefused(ctx)
	})

	It("is refused where a collection is deleted, or a folder by kubectl delete -k", func(ctx SpecContext) {
		for _, path := range []string{
			"/apis/roster.dev/v1alpha1/namespaces/roster-system/roles",
			"/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/apiregistration.k8s.io/v1/apiservices",
		} {
			Expect(i.kubectl(ctx, "delete", "--raw", path)).To(ContainSubstring("its deletion has to be confirmed"), path)
		}
		root, err := environment.ModuleRoot()
		Expect(err).NotTo(HaveOccurred())
		for _, folder := range []string{"crd", "roles", "apiserver"} {
			refusal := i.kubectl(ctx, "delete", "--wait=false", "-k", filepath.Join(root, "config", folder))
			Expect(refusal).To(ContainSubstring("its deletion has to be confirmed"), folder)
		}
		i.expectRefused(ctx)
	})

	It("is refused when config/default is deleted again, which takes its own policies along", func(ctx SpecContext) {
		root, err := environment.ModuleRoot()
		Expect(err).NotTo(HaveOccurred())
		policies := filepath.Join(root, "config", "policies")
		i.does(ctx, "delete", "-k", policies)
		DeferCleanup(func(ctx context.Context) { Expect(i.cluster.Apply(ctx, policies)).To(Succeed()) })
		i.expectRefused(ctx)
		defaults, err := i.cluster.Kubectl(ctx, "kustomize", filepath.Join(root, "config", "default"))
		Expect(err).NotTo(HaveOccurred())
		Expect(defaults).NotTo(ContainSubstring("installation.roster.dev"))
	})

	It("is refused while the manager is away", func(ctx SpecContext) {
		Expect(i.manager.Stop()).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(i.manager.Restart(ctx)).To(Succeed()) })
		i.expectRefused(ctx)
	})

	It("doesn't concern other CustomResourceDefinitions, APIServices and namespaces", func(ctx SpecContext) {
		i.does(ctx, "create", "namespace", "other")
		i.does(ctx, "delete", "namespace", "other", "--wait=false")
		i.does(ctx, "delete", "--dry-run=server", "apiservice", "v1alpha1.roster.dev")
	})

	It("is let through once it was confirmed by the very command", func(ctx SpecContext) {
		for _, foundation := range foundations {
			i.does(ctx, confirmation(foundation.what)...)
		}
		i.expectLetThrough(ctx)
		for _, foundation := range foundations {
			i.does(ctx, append(strings.Fields("annotate "+foundation.what), "roster.dev/confirm-deletion-")...)
		}
		i.expectRefused(ctx)
	})

	It("is let through when the last organization is gone", func(ctx SpecContext) {
		i.Delete(ctx, expectations.Membership(acme.Name, "bo-000", ""), expectations.Project(acme.Name, "shop"))
		i.Gone(ctx, expectations.Membership(acme.Name, "bo-000", ""), expectations.Project(acme.Name, "shop"))
		for _, organization := range []string{"acme"} {
			i.Delete(ctx, expectations.Organization(organization, ""))
		}
		i.Gone(ctx, acme.Organization)
		output, err := i.cluster.Kubectl(ctx, "get", "org", "--output=name")
		Expect(err).NotTo(HaveOccurred())
		for _, personal := range strings.Fields(output) {
			name := strings.TrimPrefix(personal, "organization.roster.dev/")
			i.does(ctx, "annotate", "organizations.roster.dev", name, fmt.Sprintf("roster.dev/confirm-deletion=%s", name))
			i.does(ctx, "delete", "organizations.roster.dev", name)
		}
		i.expectLetThrough(ctx)
	})
})
