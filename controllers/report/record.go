package report

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// recordKey of the ConfigMap holds the record.
const recordKey = "record.json"

// unread: ConfigMaps are read past the caches, which therefore need not wait for what is written, nor hold any.
const unread = client.DisableReadYourWritesConsistency

// record is what is known of an organization's monthly reports. It is written before and after each mail, with the version
// that it was read in, so that neither a crash nor a second leader sends one twice.
type record struct {
	// Since is when Roster found that monthly reports are switched on. A month that ended before isn't reported.
	Since metav1.Time `json:"since"`
	// Month that was reported last, such as 2026-11.
	Month string `json:"month,omitempty"`
	// Deliveries of that month.
	Deliveries []delivery `json:"deliveries,omitempty"`
}

// delivery is the mail to one recipient.
type delivery struct {
	// To is the address. Empty for an owner of whom none is known, who is then named in Owner.
	To    string `json:"to,omitempty"`
	Owner string `json:"owner,omitempty"`
	// MailState is how far it has come.
	v1alpha1.MailState `json:",inline"`
}

// kept is a record with the object that it is in.
type kept struct {
	*record
	object *corev1.ConfigMap
}

func recordObject(organization *v1alpha1.Organization) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.SystemNamespace, Name: "roster-reports-" + organization.Name,
	}}
}

// read is the record as the API server has it; a nil one where there is none.
func (r *Reconciler) read(ctx context.Context, organization *v1alpha1.Organization) (*kept, error) {
	found := &kept{object: recordObject(organization)}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(found.object), found.object)
	switch {
	case apierrors.IsNotFound(err):
		found.object = recordObject(organization)
		return found, nil
	case err != nil:
		return nil, fmt.Errorf("read ConfigMap %s: %w", found.object.Name, err)
	case !metav1.IsControlledBy(found.object, organization):
		// That of an earlier organization of this name, which the garbage collector is about to delete. It says nothing here.
		return nil, client.IgnoreNotFound(r.Delete(ctx, found.object, client.Preconditions{UID: &found.object.UID}, unread))
	}
	found.record = &record{}
	if err := json.Unmarshal([]byte(found.object.Data[recordKey]), found.record); err != nil {
		return nil, fmt.Errorf("read ConfigMap %s, key %s: %w; delete it to begin with the next month", found.object.Name,
			recordKey, err)
	}
	return found, nil
}

// write fails on a conflict when somebody else has written the record since it was read.
func (r *Reconciler) write(ctx context.Context, organization *v1alpha1.Organization, kept *kept) error {
	content, err := json.Marshal(kept.record)
	if err != nil {
		return err
	}
	kept.object.Data = map[string]string{recordKey: string(content)}
	if kept.object.ResourceVersion != "" {
		return r.Update(ctx, kept.object, unread)
	}
	owner := metav1.NewControllerRef(organization, v1alpha1.GroupVersion.WithKind("Organization"))
	owner.BlockOwnerDeletion = nil
	kept.object.OwnerReferences = []metav1.OwnerReference{*owner}
	kept.object.Labels = map[string]string{
		v1alpha1.LabelOrganization: organization.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster,
	}
	return r.Create(ctx, kept.object, unread)
}
