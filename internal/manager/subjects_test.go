package manager

import (
	"fmt"
	"unsafe"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("Lists of subjects in the cache", func() {
	// binding is one as it comes from the API server, with texts and a list of its own.
	binding := func(users ...string) *rbacv1.RoleBinding {
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{ManagedFields: make([]metav1.ManagedFieldsEntry, 1)}}
		for _, user := range users {
			binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, Name: fmt.Sprint(user)})
		}
		return binding
	}
	var lists *subjectLists
	cached := func(binding *rbacv1.RoleBinding) *rbacv1.RoleBinding {
		GinkgoHelper()
		transformed, err := lists.transform(binding)
		Expect(err).NotTo(HaveOccurred())
		Expect(transformed).To(BeIdenticalTo(binding))
		return binding
	}

	BeforeEach(func() { lists = newSubjectLists() })

	It("are one where they are equal", func() {
		first, second := cached(binding("ana", "bo")), cached(binding("ana", "bo"))
		Expect(unsafe.SliceData(second.Subjects)).To(BeIdenticalTo(unsafe.SliceData(first.Subjects)))
		Expect(second.ManagedFields).To(BeEmpty())
	})

	It("differ where one subject differs, in name, kind or order", func() {
		users, others := cached(binding("ana", "bo")), cached(binding("ana", "cy"))
		Expect(others.Subjects[1].Name).To(Equal("cy"))
		group := binding("ana", "bo")
		group.Subjects[1].Kind = rbacv1.GroupKind
		Expect(cached(group).Subjects[1].Kind).To(Equal(rbacv1.GroupKind))
		Expect(cached(binding("bo", "ana")).Subjects[0].Name).To(Equal("bo"))
		Expect(users.Subjects).To(Equal(binding("ana", "bo").Subjects))
	})

	It("stay right when more pass by than are remembered", func() {
		var bindings []*rbacv1.RoleBinding
		for n := range 3 * sharedLists {
			bindings = append(bindings, cached(binding("ana", fmt.Sprintf("user-%d", n))))
		}
		for n, binding := range bindings {
			Expect(binding.Subjects[1].Name).To(Equal(fmt.Sprintf("user-%d", n)))
		}
	})

	It("may be empty, and other objects pass unchanged", func() {
		Expect(cached(binding()).Subjects).To(BeEmpty())
		Expect(lists.transform("anything")).To(Equal("anything"))
	})
})
