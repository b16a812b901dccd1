package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// Who attempts something about the token of bo, a developer: owner, administrator, another developer, a robot that may
// impersonate bo alone, and the people who write Secrets in the organization's namespace.
const (
	tokenOwner, tokenAdministrator = "ana@token-tried", "dana@token-tried"
	tokenUser, tokenOther          = "bo@token-tried", "cleo@token-tried"
	tokenMaker, secretWriter       = "maker@elsewhere", "writer@elsewhere"

	notTheirs = "API token ci is changed by bo@token-tried, whose it is; who holds revoke on apitokens, as owners and administrators " +
		"do, may set spec.revoked: true or delete it, and nothing else"
	notForBo = "spec.user: a token for bo@token-tried is made by bo@token-tried or by who may impersonate that user; leave spec.user " +
		"out for a token of your own"
	notForCleo = "spec.user: a token for cleo@token-tried is made by cleo@token-tried or by who may impersonate that user; leave " +
		"spec.user out for a token of your own"
	notByHand = "in namespace org-token-tried the ServiceAccounts token-* , their tokens, and Secrets of type roster.dev/* are made by " +
		"Roster alone; make an APIToken instead"
	notInProject = "access to namespace token-tried-shop of organization token-tried is given through Roster, not by RoleBindings of " +
		"rbac.authorization.k8s.io; make a Membership, Team or RoleBinding of roster.dev in namespace org-token-tried instead"
)

// triedToken is bo's, and triedSecret a Secret that was there before.
var (
	triedToken  = apiToken("token-tried", "ci", tokenUser, []v1alpha1.RoleName{"viewer"}, "shop")
	triedSecret = &corev1.Secret{ObjectMeta: expectations.InOrganization("token-tried", "mail-password")}
)

// newToken is another one, changed a little.
func newToken(change ...func(*v1alpha1.APIToken)) *v1alpha1.APIToken {
	token := apiToken("token-tried", "another", "", []v1alpha1.RoleName{"viewer"}, "shop")
	for _, change := range change {
		change(token)
	}
	return token
}

func ofUser(user string) func(*v1alpha1.APIToken) {
	return func(token *v1alpha1.APIToken) { token.Spec.User = v1alpha1.Username(user) }
}

func inSecret(name string) func(*v1alpha1.APIToken) {
	return func(token *v1alpha1.APIToken) { token.Spec.SecretName = name }
}

func readsSecret(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.Get(ctx, client.ObjectKey{Namespace: object.GetNamespace(), Name: "ci"}, &corev1.Secret{})
}

// listsSecrets and watchesSecrets ask for what would hold the Secret, too.
func listsSecrets(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.List(ctx, &corev1.SecretList{}, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"metadata.name": "ci"})
}

func watchesSecrets(ctx context.Context, asked client.Client, object client.Object) error {
	watch, err := asked.(client.WithWatch).Watch(ctx, &corev1.SecretList{}, client.InNamespace(object.GetNamespace()))
	if err == nil {
		watch.Stop()
	}
	return err
}

// readingSecrets is a Role that reads Secrets in the organization's namespace.
func readingSecrets() *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: expectations.InOrganization("token-tried", "thief"), Spec: v1alpha1.RoleSpec{
		OrganizationRules: rulesOn("", "secrets", "get", "list"),
	}}
}

// requestsToken asks for a token of the ServiceAccount of bo's token.
func requestsToken(ctx context.Context, asked client.Client, _ client.Object) error {
	account := &corev1.ServiceAccount{ObjectMeta: expectations.InOrganization("token-tried", triedToken.ServiceAccountName())}
	return asked.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
}

func namedSecret(name string, change func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: expectations.InOrganization("token-tried", name)}
	change(secret)
	return secret
}

var tokenAttempts = []attempt{
	{"a member makes a token of their own", tokenOther, creates, newToken(), ""},
	{"a member makes a token that asks for more than they hold, as a repository may", tokenOther, creates,
		newToken(func(t *v1alpha1.APIToken) { t.Spec.Roles = []v1alpha1.RoleName{"administrator"} }), ""},
	{"a member makes a token for another user", tokenOther, creates, newToken(ofUser(tokenUser)), notForBo},
	{"an owner makes a token for another user", tokenOwner, creates, newToken(ofUser(tokenUser)), notForBo},
	{"who may impersonate a user makes a token for them", tokenMaker, creates, newToken(ofUser(tokenUser)), ""},
	{"who may impersonate a user makes a token for another one", tokenMaker, creates, newToken(ofUser(tokenOther)), notForCleo},
	{"a token is pointed at a Secret that is there", tokenUser, creates, newToken(inSecret("mail-password")),
		`spec.secretName: Secret "mail-password" is there already and isn't this token's; choose another name`},
	{"a token is pointed at another token's Secret", tokenOther, creates, newToken(inSecret("ci")),
		`spec.secretName: Secret "ci" is there already and isn't this token's; choose another name`},
	{"a token is pointed at another Secret later", tokenUser, merges(`{"spec": {"secretName": "mail-password"}}`), triedToken,
		"the name of the Secret is fixed when the token is made; make another APIToken"},
	{"the user of a token is exchanged", tokenUser, merges(`{"spec": {"user": "ana@token-tried"}}`), triedToken,
		"a token stays its user's; make another APIToken"},
	{"a token's life is made longer", tokenUser, merges(`{"spec": {"expiresAfter": "2000h"}}`), triedToken,
		"the life of a token is fixed when it is made; make another APIToken"},
	{"the user adds a role that they hold", tokenUser, merges(`{"spec": {"roles": ["viewer", "developer"]}}`), triedToken, ""},
	{"the user adds a role that they don't hold", tokenUser, merges(`{"spec": {"roles": ["viewer", "administrator"]}}`), triedToken,
		`spec.roles: user "bo@token-tried" doesn't hold role "administrator" in all the places that this token asks for, and a token ` +
			"never does more than its user; leave it out, or have the user given the role first"},
	{"an administrator adds a role", tokenAdministrator, merges(`{"spec": {"roles": ["viewer", "developer"]}}`), triedToken, notTheirs},
	{"another member rotates it", tokenOther, merges(`{"metadata": {"annotations": {"roster.dev/rotate": "now"}}}`), triedToken,
		notTheirs},
	{"another member revokes it", tokenOther, merges(`{"spec": {"revoked": true}}`), triedToken, notTheirs},
	{"an administrator revokes it", tokenAdministrator, merges(`{"spec": {"revoked": true}}`), triedToken, ""},
	{"an administrator revokes it with a client that writes durations in full", tokenAdministrator,
		replaces(func(t *v1alpha1.APIToken) { t.Spec.Revoked = true }), triedToken, ""},
	{"an administrator has the old token work on for longer", tokenAdministrator,
		merges(`{"spec": {"rotation": {"overlap": "12h"}}}`), triedToken, notTheirs},
	{"an administrator has it rotated no more", tokenAdministrator, merges(`{"spec": {"rotation": null}}`), triedToken, notTheirs},
	{"an owner revokes it", tokenOwner, merges(`{"spec": {"revoked": true}}`), triedToken, ""},
	{"the user revokes it", tokenUser, merges(`{"spec": {"revoked": true}}`), triedToken, ""},
	{"another member deletes it", tokenOther, deletes, triedToken,
		"API token ci is deleted by bo@token-tried, whose it is, or by who holds revoke on apitokens in namespace org-token-tried; ask " +
			"an owner or administrator"},
	{"an administrator deletes it", tokenAdministrator, deletes, triedToken, ""},
	{"another user says to have made it", tokenUser, merges(`{"metadata": {"annotations": {"roster.dev/created-by": "cleo"}}}`),
		triedToken, ""}, // The stamp stays as it was.

	{"the user reads the Secret", tokenUser, deed{plainly: readsSecret}, triedToken, ""},
	{"another member reads the Secret", tokenOther, deed{plainly: readsSecret}, triedToken,
		`User "cleo@token-tried" cannot get resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"an administrator reads the Secret", tokenAdministrator, deed{plainly: readsSecret}, triedToken,
		`User "dana@token-tried" cannot get resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"an owner reads the Secret", tokenOwner, deed{plainly: readsSecret}, triedToken,
		`User "ana@token-tried" cannot get resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"the user lists Secrets, others' among them", tokenUser, deed{plainly: listsSecrets}, triedToken,
		`User "bo@token-tried" cannot list resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"an owner lists Secrets", tokenOwner, deed{plainly: listsSecrets}, triedToken,
		`User "ana@token-tried" cannot list resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"an owner watches Secrets", tokenOwner, deed{plainly: watchesSecrets}, triedToken,
		`User "ana@token-tried" cannot watch resource "secrets" in API group "" in the namespace "org-token-tried"`},
	{"an owner makes a Role that reads Secrets where tokens are", tokenOwner, creates, readingSecrets(),
		"this Role would newly allow what you may not do yourself in organization token-tried: get on secrets; list on secrets; take it " +
			"out, or ask who may"},

	{"an owner forges the status", tokenOwner, mergesStatus(`{"status": {"phase": "Active"}}`), triedToken,
		`User "ana@token-tried" cannot patch resource "apitokens/status" in API group "roster.dev" in the namespace "org-token-tried"`},
	{"who may write statuses forges the status", secretWriter, mergesStatus(`{"status": {"expiresAt": "2099-01-01T00:00:00Z"}}`),
		triedToken, "the status says what Roster found and is written by Roster alone; change the spec instead"},

	{"an owner binds the ServiceAccount in a project", tokenOwner, creates, bindingOfAccount(), notInProject},
	{"an owner names the ServiceAccount in a RoleBinding", tokenOwner, creates, rosterBindingOfAccount(),
		"default, roster-system, kube-* and the organizations' own namespaces org-* can't be a project's; name a namespace of the " +
			"project's own"},
	{"who may write Secrets makes one like a token's", secretWriter, creates,
		namedSecret("forged", func(s *corev1.Secret) { s.Type = v1alpha1.SecretTypeAPIToken }), notByHand},
	{"who may write Secrets makes one that is told apart as a token's", secretWriter, creates,
		namedSecret("forged", func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.LabelAPIToken: "ci"} }), notByHand},
	{"who may write Secrets asks by one for a token of the ServiceAccount", secretWriter, creates,
		namedSecret("forged", func(s *corev1.Secret) {
			s.Type = corev1.SecretTypeServiceAccountToken
			s.Annotations = map[string]string{corev1.ServiceAccountNameKey: "token-ci-0"}
		}), notByHand},
	{"who may write Secrets makes any other", secretWriter, creates, namedSecret("other", func(*corev1.Secret) {}), ""},
	{"who may write ServiceAccounts makes one like a token's", secretWriter, creates,
		&corev1.ServiceAccount{ObjectMeta: expectations.InOrganization("token-tried", "token-ci-0")}, notByHand},
	{"who may request tokens requests one of the ServiceAccount", secretWriter, deed{plainly: requestsToken}, triedToken, notByHand},
	{"an owner requests a token of the ServiceAccount", tokenOwner, deed{plainly: requestsToken}, triedToken,
		`User "ana@token-tried" cannot create resource "serviceaccounts/token" in API group "" in the namespace "org-token-tried"`},
}

// bindingOfAccount is an RBAC RoleBinding of a token's ServiceAccount in a project.
func bindingOfAccount() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "token-tried-shop", Name: "more"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "org-token-tried", Name: "token-ci-0"}},
	}
}

func rosterBindingOfAccount() *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{
		ObjectMeta: expectations.InOrganization("token-tried", "more"),
		Spec: v1alpha1.RoleBindingSpec{
			Role: "viewer", Projects: []v1alpha1.ObjectName{"shop"},
			Subjects: []v1alpha1.Subject{{
				Kind: v1alpha1.SubjectServiceAccount, Namespace: "org-token-tried", Name: "token-ci-0",
			}},
		},
	}
}

// tokenWorld is where it is tried.
func tokenWorld(ctx context.Context) {
	GinkgoHelper()
	made := expectations.Organization("token-tried", tokenOwner)
	expect.Create(ctx, made)
	expect.Ready(ctx, made)
	expect.Create(ctx, expectations.Project("token-tried", "shop"),
		expectations.Membership("token-tried", "dana", tokenAdministrator, "administrator"),
		expectations.Membership("token-tried", "cleo", tokenOther, "developer"),
		expectations.Membership("token-tried", "bo", tokenUser, "developer"))
	// Rights that no role of the catalogue gives, as a cluster's administrator may.
	for user, rule := range map[string]rbacv1.PolicyRule{
		tokenMaker: {
			APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{tokenUser}, Verbs: []string{"impersonate"},
		},
		secretWriter: {
			APIGroups: []string{"", "roster.dev"}, Verbs: []string{"*"},
			Resources: []string{"secrets", "serviceaccounts", "serviceaccounts/token", "apitokens", "apitokens/status"},
		},
	} {
		name := "token-attempts-" + user[:len("maker")]
		rules := []rbacv1.PolicyRule{rule, {
			APIGroups: []string{"roster.dev"}, Resources: []string{"apitokens"}, Verbs: []string{"create"},
		}}
		expect.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
			})
	}
	expect.Allowed(ctx, tokenUser, "create apitokens.roster.dev", "org-token-tried")
	Expect(asUser(tokenUser).Create(ctx, triedToken)).To(Succeed())
	expect.Ready(ctx, triedToken)
	Expect(patchAs(ctx, tokenUser, triedToken, `{"spec": {"rotation": {"every": "24h", "overlap": "1h"}}}`)).To(Succeed())
	expect.Create(ctx, triedSecret)
	expect.Allowed(ctx, tokenOther, "create apitokens.roster.dev", "org-token-tried")
	expect.Allowed(ctx, tokenAdministrator, "revoke apitokens.roster.dev", "org-token-tried")
}

var _ = Describe("About an API token, the API server", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { tokenWorld(ctx) })

	attemptEach(tokenAttempts)

	It("says of a name that is taken that it is", func(ctx SpecContext) {
		err := asUser(tokenUser).Create(ctx, newToken(func(t *v1alpha1.APIToken) { t.Name = triedToken.Name }))
		Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
	})

	It("warns who makes it of what it won't do", func(ctx SpecContext) {
		heard := &warnings{}
		config := cluster.As(tokenUser)
		config.WarningHandler = heard
		token := newToken(func(t *v1alpha1.APIToken) {
			t.Spec.Roles, t.Spec.Projects = roles("viewer", "veiwer", "administrator"), objectNames("shop", "shopp")
		})
		Expect(clientFor(config).Create(ctx, token, client.DryRunAll)).To(Succeed())
		Expect(heard.said).To(ConsistOf(ContainSubstring(`"veiwer"`), ContainSubstring("shopp"),
			ContainSubstring("asks for more than user \"bo@token-tried\" holds: administrator")))
	})

	It("lets who made it for somebody else read the Secret, and nobody but the two", func(ctx SpecContext) {
		token := newToken(ofUser(tokenUser), func(t *v1alpha1.APIToken) { t.Name = "made-for-bo" })
		Expect(asUser(tokenMaker).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		for _, reader := range []string{tokenUser, tokenMaker} {
			_, err := secretOf(ctx, token, reader)
			Expect(err).NotTo(HaveOccurred(), reader)
		}
		for _, other := range []string{tokenOwner, tokenAdministrator, tokenOther} {
			_, err := secretOf(ctx, token, other)
			Expect(err).To(MatchError(ContainSubstring("is forbidden")), other)
		}
	})
})
