package person

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

var noon = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

func confirmed(email string, after time.Duration) *v1alpha1.ConfirmedAddress {
	return &v1alpha1.ConfirmedAddress{Email: email, At: metav1.NewTime(noon.Add(after))}
}

func user(name, email string, address *v1alpha1.ConfirmedAddress) v1alpha1.User {
	return v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Username: "bo", Email: email},
		Status: v1alpha1.UserStatus{Confirmed: address},
	}
}

var _ = DescribeTable("A user is mailed", func(username, address string, users ...v1alpha1.User) {
	Expect(describe(username, users).Address).To(Equal(address))
},
	Entry("nowhere, where nothing is known", "bo", "", user("a", "", nil)),
	Entry("nowhere, without a User", "bo", ""),
	Entry("at the username where that is an address", "bo@acme.example", "bo@acme.example"),
	Entry("nowhere, where the username merely contains an address", "Bo <bo@acme.example>", ""),
	Entry("at the declared address before the username", "bo@acme.example", "bo@home.example",
		user("a", "bo@home.example", confirmed("bo@old.example", 0))),
	Entry("at the username before the confirmed address", "bo@acme.example", "bo@acme.example",
		user("a", "", confirmed("bo@home.example", 0))),
	Entry("at the confirmed address where the username is none", "bo", "bo@home.example",
		user("a", "", confirmed("bo@home.example", 0))),
	Entry("of two Users, at the one that is declared", "bo", "bo@home.example",
		user("a", "", confirmed("bo@old.example", 0)), user("b", "bo@home.example", nil)),
	Entry("of two Users, at the address confirmed last", "bo", "bo@new.example",
		user("a", "", confirmed("bo@new.example", time.Second)), user("b", "", confirmed("bo@old.example", 0))),
)

func entry(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: v1alpha1.GroupVersion.String(),
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

var _ = DescribeTable("Copies of a Membership's fields are", func(expected Copied, entries ...metav1.ManagedFieldsEntry) {
	Expect(copiedBy(entries)).To(Equal(expected))
},
	Entry("what Roster wrote", Copied{Email: true, DisplayName: true},
		entry("roster-manager", `{"f:spec":{"f:username":{},"f:email":{},"f:displayName":{}}}`)),
	Entry("not what somebody else wrote", Copied{DisplayName: true},
		entry("roster-manager", `{"f:spec":{"f:username":{},"f:displayName":{}}}`), entry("kubectl", `{"f:spec":{"f:email":{}}}`)),
	Entry("not what somebody else applied too", Copied{},
		entry("roster-manager", `{"f:spec":{"f:email":{}}}`), entry("directory", `{"f:spec":{"f:email":{}}}`)),
	Entry("not an annotation of that name, nor a status", Copied{},
		entry("roster-manager", `{"f:metadata":{"f:email":{}},"f:status":{"f:email":{}}}`), metav1.ManagedFieldsEntry{}),
)

var _ = Describe("An address that an earlier version copied", func() {
	It("isn't mailed to even before it is taken out of the User", func(ctx SpecContext) {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		left := user("bo", "attacker@evil.example", nil)
		left.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}
		cached := fake.NewClientBuilder().WithScheme(scheme).WithObjects(left.DeepCopy()).
			WithIndex(&v1alpha1.User{}, snapshot.UsersByUsername, func(object client.Object) []string {
				return []string{string(object.(*v1alpha1.User).Spec.Username)}
			}).Build()
		left.ManagedFields = []metav1.ManagedFieldsEntry{entry(v1alpha1.FieldManager, `{"f:spec":{"f:email":{}}}`)}
		live := fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().WithObjects(&left).Build()
		Expect(Find(ctx, cached, live, "bo")).To(Equal(Person{}))
	})
})
