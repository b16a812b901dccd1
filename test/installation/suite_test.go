// Package installation_test deletes what all organizations rest on, as the administrator of a cluster can, and shows what stays.
package installation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

func TestInstallation(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	SetDefaultEventuallyTimeout(time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Installation")
}

// installation is a control plane of a container's own, with Roster on it.
type installation struct {
	*expectations.Expectations
	cluster *environment.Cluster
	manager *environment.Manager
}

func install(ctx context.Context, options environment.Options) *installation {
	GinkgoHelper()
	if _, err := environment.FindBinaries(); err != nil {
		Skip(err.Error())
	}
	options.Progress = GinkgoWriter
	cluster, err := environment.Start(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
	Expect(cluster.InstallRoster(ctx)).To(Succeed())
	admin, err := client.New(cluster.Admin(), client.Options{Scheme: manager.NewScheme()})
	Expect(err).NotTo(HaveOccurred())
	i := &installation{Expectations: expectations.New(admin), cluster: cluster}
	i.manager, err = cluster.StartManager(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { expectations.ShowManagerLog(i.manager.LogPath()) })
	Expect(cluster.ConnectWebhook(ctx)).To(Succeed())
	Expect(cluster.ConnectView(ctx)).To(Succeed())
	return i
}

// kubectl runs kubectl as the administrator, and returns what it says of a failure.
func (i *installation) kubectl(ctx context.Context, arguments ...string) string {
	_, err := i.cluster.Kubectl(ctx, arguments...)
	if err != nil {
		return err.Error()
	}
	return ""
}

// does runs kubectl, which is to succeed.
func (i *installation) does(ctx context.Context, arguments ...string) {
	GinkgoHelper()
	Expect(i.kubectl(ctx, arguments...)).To(BeEmpty())
}

// company is an organization with a project and people in it.
type company struct {
	*v1alpha1.Organization
	people []string
}

const (
	seeMembers = "list memberships.roster.dev"
	seePods    = "list pods"
	deploy     = "create deployments.apps"
	writeOwn   = "update organizations.roster.dev"
)

// found makes an organization "NAME", owned by "olga@NAME", with the project "shop" and a number of people with a role.
func (i *installation) found(ctx context.Context, name string, number int, role v1alpha1.RoleName) company {
	GinkgoHelper()
	made := company{Organization: expectations.Organization(name, "olga@"+name)}
	project := expectations.Project(name, "shop")
	i.Create(ctx, made.Organization)
	i.Ready(ctx, made.Organization)
	i.Create(ctx, project)
	i.Ready(ctx, project)
	made.people = i.join(ctx, made, number, role)
	return made
}

// personOf is the name of a Membership in an organization, and the user.
func personOf(organization string, number int) (name, user string) {
	name = fmt.Sprintf("bo-%03d", number)
	return name, name + "@" + organization
}

// join gives people of a company a role, and returns their names.
func (i *installation) join(ctx context.Context, c company, number int, role v1alpha1.RoleName) []string {
	GinkgoHelper()
	var people []string
	for at := range number {
		name, user := personOf(c.Name, at)
		people = append(people, user)
		i.Create(ctx, expectations.Membership(c.Name, name, user, role))
	}
	for at := range number {
		name, _ := personOf(c.Name, at)
		i.Ready(ctx, expectations.Membership(c.Name, name, ""))
	}
	return people
}

func (c company) namespace() string { return v1alpha1.OrganizationNamespace(c.Name) }
func (c company) shop() string      { return c.Name + "-shop" }
func (c company) owner() string     { return "olga@" + c.Name }

// whoMay are those of a company's people who may do something in its project's namespace.
func (i *installation) whoMay(ctx context.Context, c company, does string) ([]string, error) {
	var allowed []string
	for _, user := range c.people {
		may, err := i.May(ctx, expectations.Access{User: user, Does: does, Namespace: c.shop()})
		if err != nil {
			return nil, err
		}
		if may {
			allowed = append(allowed, user)
		}
	}
	return allowed, nil
}

// expectOnly waits until of a company's people exactly those may do something in its project's namespace.
func (i *installation) expectOnly(ctx context.Context, c company, does string, people []string) {
	GinkgoHelper()
	Eventually(i.whoMay).WithContext(ctx).WithArguments(c, does).Should(HaveExactElements(people))
}

// expectHeld waits until exactly some people's removals are held, and returns the digest.
func (i *installation) expectHeld(ctx context.Context, c company, people []string) (digest string) {
	GinkgoHelper()
	Eventually(func() ([]string, error) {
		organization := &v1alpha1.Organization{}
		err := i.Get(ctx, client.ObjectKeyFromObject(c.Organization), organization)
		if organization.Status.HeldRemovals == nil {
			return nil, err
		}
		digest = organization.Status.HeldRemovals.Digest
		return organization.Status.HeldRemovals.Users, err
	}).WithContext(ctx).Should(HaveExactElements(people))
	return digest
}

// approve lets exactly what a digest names go.
func (i *installation) approve(ctx context.Context, c company, digest string) {
	GinkgoHelper()
	i.does(ctx, "annotate", "organization", c.Name, v1alpha1.AnnotationApproveRemovals+"="+digest, "--overwrite")
}

func toAny(texts []string) []any {
	var values []any
	for _, text := range texts {
		values = append(values, text)
	}
	return values
}
