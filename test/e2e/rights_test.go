package e2e_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/test/environment"
)

// right is something that config/rbac lets the manager ask for: in one namespace, or of one name, where it says so.
type right environment.AuditedRequest

func (r right) String() string {
	text := environment.AuditedRequest(r).What()
	if r.Name != "" {
		text += " " + r.Name
	}
	if r.Namespace != "" {
		text += " in " + r.Namespace
	}
	return text
}

// isUsedBy says whether a request needed the right. The audit log doesn't always know the name of what is created. Who watches
// lists first, where an API server doesn't send what there is with the watch.
func (r right) isUsedBy(request environment.AuditedRequest) bool {
	isVerb := r.Verb == request.Verb || r.Verb == "list" && request.Verb == "watch"
	return isVerb && r.Group == request.Group && r.Resource == request.Resource && r.Subresource == request.Subresource &&
		(r.Namespace == "" || r.Namespace == request.Namespace) && (r.Name == "" || r.Name == request.Name)
}

// questions are verbs that are asked about, and of which no request is made.
var questions = []string{"bind", "escalate", "guard"}

// usedElsewhere are the rights that no spec of this suite needs, and what does.
var usedElsewhere = map[string]string{
	"create secrets in roster-system":                             "test/restart: the first start, where nobody made the certificates before",
	"update secrets roster-webhook-certificates in roster-system": "internal/certificates: a renewal",
	"list configmaps in roster-system":                            "test/invitations: the kept reports of an organization",
	"delete apitokens.roster.dev":                                 "controllers/token: a token goes 30 days after its end",
	"update apitokens.roster.dev/finalizers":                      "Kubernetes asks for it where what a token owns keeps it",
}

// rightsOf are what the manager may do, rule by rule.
func rightsOf(ctx context.Context, reader client.Reader) []right {
	GinkgoHelper()
	isManager := func(subject rbacv1.Subject) bool {
		return subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == environment.ManagerNamespace &&
			subject.Name == environment.ManagerServiceAccount
	}
	own := client.MatchingLabels{"app.kubernetes.io/name": "roster"}
	var everywhere rbacv1.ClusterRoleBindingList
	Expect(reader.List(ctx, &everywhere, own)).To(Succeed())
	var rights []right
	for _, binding := range everywhere.Items {
		role := &rbacv1.ClusterRole{}
		Expect(reader.Get(ctx, client.ObjectKey{Name: binding.RoleRef.Name}, role)).To(Succeed())
		if slices.ContainsFunc(binding.Subjects, isManager) && role.Labels["app.kubernetes.io/name"] == "roster" {
			rights = append(rights, rightsIn("", role.Rules)...)
		}
	}
	var local rbacv1.RoleBindingList
	Expect(reader.List(ctx, &local, own)).To(Succeed())
	for _, binding := range local.Items {
		if slices.ContainsFunc(binding.Subjects, isManager) && binding.RoleRef.Kind == "Role" && binding.Namespace != "kube-system" {
			role := &rbacv1.Role{}
			Expect(reader.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: binding.RoleRef.Name}, role)).To(Succeed())
			rights = append(rights, rightsIn(binding.Namespace, role.Rules)...)
		}
	}
	Expect(rights).NotTo(BeEmpty())
	return rights
}

// rightsIn expands rules.
func rightsIn(namespace string, rules []rbacv1.PolicyRule) []right {
	var rights []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, resource := range rule.Resources {
			resource, subresource, _ := strings.Cut(resource, "/")
			for _, verb := range rule.Verbs {
				if slices.Contains(questions, verb) {
					continue
				}
				for _, name := range names {
					rights = append(rights, right{
						Verb: verb, Group: rule.APIGroups[0], Resource: resource, Subresource: subresource,
						Namespace: namespace, Name: name,
					})
				}
			}
		}
	}
	return rights
}

// expectRightsUsed expects that the manager has used each right that config/rbac gives it, here or as it is said elsewhere.
// It is asked when all specs have run.
func expectRightsUsed(ctx context.Context, owned *environment.Cluster) {
	GinkgoHelper()
	requests, err := owned.Requests(environment.ManagerUser)
	Expect(err).NotTo(HaveOccurred())
	var unused []string
	for _, right := range rightsOf(ctx, clientFor(owned.Admin())) {
		isUsed := slices.ContainsFunc(requests, right.isUsedBy) || usedElsewhere[right.String()] != ""
		// Requests on leases, and questions about rights, aren't in the audit log.
		isLeftOut := right.Group == "coordination.k8s.io" || right.Group == "authorization.k8s.io"
		if !isUsed && !isLeftOut {
			unused = append(unused, right.String())
		}
	}
	Expect(unused).To(BeEmpty(), "rights of config/rbac that the manager doesn't need")
}
