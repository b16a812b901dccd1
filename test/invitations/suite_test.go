// Package invitations_test invites people with a real mail server, and answers as they do.
package invitations_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
	"github.com/roster-dev/roster/test/smtp"
)

func TestInvitations(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	RunSpecs(t, "Invitations")
}

const sender = "Roster <roster@roster.example>"

// installation is a control plane with Roster and a mail server. There is one Secret with mail settings, so that specs
// run one after the other.
type installation struct {
	cluster *environment.Cluster
	manager *environment.Manager
	plugin  string
	k8s     client.Client
	expect  *expectations.Expectations
	server  *smtp.Server
	// organization of the present spec.
	organization string
}

func install(ctx context.Context) *installation {
	GinkgoHelper()
	cluster, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(cluster.Stop)
	Expect(cluster.InstallRoster(ctx)).To(Succeed())
	i := &installation{cluster: cluster}
	i.manager, err = cluster.StartManager(ctx, "--portal-url=https://portal.roster.example/join/{organization}",
		"--mail-templates="+templates())
	Expect(err).NotTo(HaveOccurred())
	Expect(cluster.ConnectWebhook(ctx)).To(Succeed())
	Expect(cluster.ConnectView(ctx)).To(Succeed())
	i.plugin, err = environment.BuildPlugin(ctx)
	Expect(err).NotTo(HaveOccurred())
	i.k8s = i.as("")
	i.expect = expectations.New(i.k8s)
	return i
}

// restart starts the manager again, and waits until everything that it serves is reached.
func (i *installation) restart(ctx context.Context) {
	GinkgoHelper()
	Expect(i.manager.Restart(ctx)).To(Succeed())
	Eventually(i.cluster.ViewAnswers).WithContext(ctx).Should(Succeed())
}

// templates is a folder with a template of the installation's own.
func templates() string {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	replaced := []byte("Your request to {{.Title}} was {{.Decision}}\n")
	Expect(os.WriteFile(filepath.Join(folder, "join-decision.subject"), replaced, 0o600)).To(Succeed())
	return folder
}

// as is a client of a user; of no user: of an administrator.
func (i *installation) as(user string) client.Client {
	GinkgoHelper()
	config := i.cluster.Admin()
	if user != "" {
		config = i.cluster.As(user)
	}
	scheme := manager.NewScheme()
	Expect(selfv1alpha1.AddToScheme(scheme)).To(Succeed())
	made, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return made
}

// mailed starts a mail server and makes Roster use it, for one spec.
func (i *installation) mailed(ctx context.Context) {
	GinkgoHelper()
	server, err := smtp.Start(smtp.StartTLS)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	i.server = server
	i.settings(ctx, server)
}

// settings make Roster use a mail server, for one spec.
func (i *installation) settings(ctx context.Context, server *smtp.Server) {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "roster-mail"},
		Data:       server.SecretData(sender),
	}
	Expect(i.k8s.Create(ctx, secret)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(i.k8s.Delete(ctx, secret)).To(Succeed()) })
}

// change makes Roster use another mail server from now on.
func (i *installation) change(ctx context.Context, server *smtp.Server) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "roster-mail"}}
	Expect(i.k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	secret.Data = server.SecretData(sender)
	Expect(i.k8s.Update(ctx, secret)).To(Succeed())
}

// open makes an organization.
func (i *installation) open(ctx context.Context, name string, change ...func(*v1alpha1.OrganizationSpec)) {
	GinkgoHelper()
	i.organization = name
	organization := expectations.Organization(name, owner(name))
	for _, change := range change {
		change(&organization.Spec)
	}
	i.expect.Create(ctx, organization)
	i.expect.Ready(ctx, organization)
	project := expectations.Project(name, "shop")
	i.expect.Create(ctx, project)
	i.expect.Ready(ctx, project)
}

func owner(organization string) string { return "owner@" + organization + ".example" }

// roster runs the plugin as a user.
func (i *installation) roster(ctx context.Context, user string, arguments ...string) (string, error) {
	arguments = append(arguments, "--kubeconfig", i.cluster.AdminKubeconfig(), "--as", user)
	return run(exec.CommandContext(ctx, i.plugin, arguments...))
}

// paste runs a command of a mail as it stands there, as a user.
func (i *installation) paste(ctx context.Context, user, command string) (string, error) {
	shell := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(
		"kubectl() { if [ \"$1\" = roster ]; then shift; %q \"$@\" --kubeconfig %[2]q --as %[3]q; else %[4]q \"$@\" "+
			"--kubeconfig %[2]q --as %[3]q; fi; }\n%[5]s\n", i.plugin, i.cluster.AdminKubeconfig(), user,
		i.cluster.KubectlCommand(ctx).Path, command))
	return run(shell)
}

func run(command *exec.Cmd) (string, error) {
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("%w: %s", err, problems.String())
	}
	return output.String(), nil
}

// invite makes an invitation as the organization's owner.
func (i *installation) invite(ctx context.Context, organization, user string, more ...string) *v1alpha1.Membership {
	GinkgoHelper()
	arguments := append([]string{"invite", user, "--organization", organization, "--role", "developer"}, more...)
	if user == "" {
		arguments = append([]string{"invite"}, arguments[2:]...)
	}
	output, err := i.roster(ctx, owner(organization), arguments...)
	Expect(err).NotTo(HaveOccurred())
	name := regexp.MustCompile(`membership.roster.dev/(\S+) created`).FindStringSubmatch(output)
	Expect(name).To(HaveLen(2), output)
	return &v1alpha1.Membership{ObjectMeta: expectations.InOrganization(organization, name[1])}
}

// is waits until a Membership is in a phase.
func (i *installation) is(ctx context.Context, membership *v1alpha1.Membership, phase v1alpha1.MembershipPhase) {
	GinkgoHelper()
	Eventually(func() (v1alpha1.MembershipPhase, error) {
		err := i.k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)
		return membership.Status.Phase, err
	}).WithContext(ctx).Should(Equal(phase))
}

// expires waits until an invitation has expired: not before its life is over, and hardly later.
func (i *installation) expires(ctx context.Context, membership *v1alpha1.Membership, life time.Duration) {
	GinkgoHelper()
	Eventually(func() (v1alpha1.MembershipPhase, error) {
		asked := time.Now()
		if err := i.k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership); err != nil {
			return "", err
		}
		if membership.Status.Phase != v1alpha1.MembershipExpired {
			Expect(asked).To(BeTemporally("<", membership.CreationTimestamp.Add(life+2*time.Second)), "it doesn't expire in time")
		}
		return membership.Status.Phase, nil
	}).WithContext(ctx).Should(Equal(v1alpha1.MembershipExpired))
	end := membership.CreationTimestamp.Add(life)
	Expect(membership.Status.Invitation.ExpiresAt.Time).To(Equal(end))
	Expect(time.Now()).To(BeTemporally(">=", end), "it expires too early")
}

// says waits until the condition Mailed has a reason, and returns its message.
func (i *installation) says(ctx context.Context, membership *v1alpha1.Membership, reason string) string {
	GinkgoHelper()
	var mailed *metav1.Condition
	Eventually(func() (string, error) {
		err := i.k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)
		mailed = meta.FindStatusCondition(membership.Status.Conditions, v1alpha1.ConditionMailed)
		if mailed == nil {
			return "", err
		}
		return mailed.Reason, err
	}).WithContext(ctx).Should(Equal(reason))
	return mailed.Message
}

// received waits for a number of mails, and returns the last one.
func (i *installation) received(ctx context.Context, number int) smtp.Message {
	GinkgoHelper()
	Eventually(i.mails).WithContext(ctx).Should(HaveLen(number))
	return i.mails()[number-1]
}

// mails are those that the server has taken for the present spec's organization.
func (i *installation) mails() []smtp.Message {
	var found []smtp.Message
	for _, message := range i.server.Received() {
		if strings.Contains(message.Text, "kubectl roster accept "+i.organization) {
			found = append(found, message)
		}
	}
	return found
}

// code is the one that a mail carries.
func code(message smtp.Message) string {
	GinkgoHelper()
	found := regexp.MustCompile(`--code (\S+)`).FindStringSubmatch(message.Text)
	Expect(found).To(HaveLen(2), message.Text)
	return found[1]
}

// line is the line of a mail that begins so.
func line(message smtp.Message, beginning string) string {
	GinkgoHelper()
	for _, line := range strings.Split(message.Text, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, beginning) {
			return line
		}
	}
	Fail("no line begins with " + beginning + ": " + message.Text)
	return ""
}

// may waits until a user may create Deployments in the organization's project, or not.
func (i *installation) may(ctx context.Context, user, organization string, allowed bool) {
	GinkgoHelper()
	if allowed {
		i.expect.Allowed(ctx, user, "create deployments.apps", organization+"-shop")
		return
	}
	i.expect.Refused(ctx, user, "create deployments.apps", organization+"-shop")
	i.expect.Refused(ctx, user, "get memberships.roster.dev", v1alpha1.OrganizationNamespace(organization))
}
