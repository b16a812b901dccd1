package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/catalogue"
)

// catalogueTimeout is how long the manager may take under the load of the other tests.
const catalogueTimeout = time.Minute

var _ = Describe("The catalogue of", func() {
	for _, product := range catalogue.Catalogues {
		It(product.Folder+" gives in every cell what its matrix says, and nothing in another organization",
			func(ctx SpecContext) {
				matrix, err := product.Matrix()
				if errors.Is(err, fs.ErrNotExist) {
					Skip(err.Error())
				}
				Expect(err).NotTo(HaveOccurred())
				organization, other := "matrix-"+product.Prefix, "matrix-"+product.Prefix+"-other"
				project := makeMatrixProject(ctx, organization)
				otherProject := makeMatrixProject(ctx, other)
				applyCatalogue(ctx, product, organization)

				holders := product.Holders(matrix)
				makeMatrixMembers(ctx, organization, holders)
				columns := matrix.Columns()
				for _, holder := range holders {
					user := matrixUser(organization, holder)
					Eventually(permissionsOf).WithContext(ctx).WithArguments(user, project, columns).
						Should(Equal(holder.Allowed), "%s in %s", user, project)
					Expect(permissionsOf(ctx, user, otherProject, columns)).To(BeEmpty(), "%s in %s", user, otherProject)
				}
				AddReportEntry("cells", len(holders)*len(columns))
			})
	}
})

// makeMatrixProject makes an organization with one project and returns the project's namespace.
func makeMatrixProject(ctx context.Context, organization string) string {
	GinkgoHelper()
	account := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec:       v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{"owner@matrix.example"}},
	}
	Expect(k8s.Create(ctx, account)).To(Succeed())
	expectMatrixReady(ctx, account)
	project := &v1alpha1.Project{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: "site"},
	}
	Expect(k8s.Create(ctx, project)).To(Succeed())
	expectMatrixReady(ctx, project)
	return project.NamespaceNames()[0]
}

// applyCatalogue installs the catalogue's Roles in the organization, as docs/reference/catalogue.md says.
func applyCatalogue(ctx context.Context, product catalogue.Catalogue, organization string) {
	GinkgoHelper()
	directory, err := product.Directory()
	Expect(err).NotTo(HaveOccurred())
	_, err = cluster.Kubectl(ctx, "apply", "--namespace", v1alpha1.OrganizationNamespace(organization),
		"--kustomize", directory)
	Expect(err).NotTo(HaveOccurred())
}

// makeMatrixMembers makes one member a holder, and returns when what they hold is in force.
func makeMatrixMembers(ctx context.Context, organization string, holders []catalogue.Holder) {
	GinkgoHelper()
	var memberships []*v1alpha1.Membership
	for _, holder := range holders {
		membership := &v1alpha1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: holder.Name},
			Spec: v1alpha1.MembershipSpec{
				User:  v1alpha1.Username(matrixUser(organization, holder)),
				Roles: holder.Roles,
			},
		}
		Expect(k8s.Create(ctx, membership)).To(Succeed())
		memberships = append(memberships, membership)
	}
	for _, membership := range memberships {
		expectMatrixReady(ctx, membership)
	}
}

func matrixUser(organization string, holder catalogue.Holder) string {
	return holder.Name + "@" + organization + ".example"
}

// permissionsOf asks the API server about every permission and returns those that the user has in the namespace.
func permissionsOf(ctx context.Context, user, namespace string, columns []v1alpha1.Permission) (
	sets.Set[v1alpha1.Permission], error) {
	allowed := sets.New[v1alpha1.Permission]()
	for _, permission := range columns {
		resource, verb, _ := strings.Cut(string(permission), ".")
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:   user,
			Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Group: v1alpha1.PermissionsGroup, Resource: resource, Verb: verb,
			},
		}}
		if err := k8s.Create(ctx, review); err != nil {
			return nil, err
		}
		if review.Status.Allowed {
			allowed.Insert(permission)
		}
	}
	return allowed, nil
}

// expectMatrixReady waits until the object's status says Ready.
func expectMatrixReady[T interface {
	client.Object
	v1alpha1.Object
}](ctx context.Context, object T) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(*object.GetConditions(), v1alpha1.ConditionReady)).To(BeTrue(),
			"%T %s: %+v", object, object.GetName(), *object.GetConditions())
	}).WithContext(ctx).WithTimeout(catalogueTimeout).Should(Succeed())
}
