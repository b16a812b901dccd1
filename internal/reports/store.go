package reports

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/report"
)

const (
	// labelKept is on every kept report.
	labelKept = "roster.dev/report"
	// annotationSummary is a kept report without its members, for lists.
	annotationSummary = "roster.dev/report-summary"
	// contentKey is the compressed report.
	contentKey = "report.json.gz"
	// maxContent is the most that a ConfigMap takes, less what is around it.
	maxContent = 900 << 10
)

// Store keeps the reports of months that have ended: each in a ConfigMap of roster-system that is never changed. The
// Organization owns it, so that it goes with the organization, and another one of the same name never has it.
type Store struct {
	// Live reads from the API server itself: reports are read rarely, and needn't be in memory.
	Live   client.Reader
	Writer client.Writer
}

// Get is the kept report of a month; nil where none is kept.
func (s *Store) Get(
	ctx context.Context, organization *v1alpha1.Organization, month report.Month,
) (*viewv1alpha1.Report, error) {
	kept := &corev1.ConfigMap{}
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: nameOf(organization.Name, month)}, kept)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the report of %s: %w", month, err)
	case !metav1.IsControlledBy(kept, organization):
		return nil, nil
	}
	return decode(kept.BinaryData[contentKey])
}

// List are the kept reports of an organization without their members, the latest first.
func (s *Store) List(ctx context.Context, organization *v1alpha1.Organization) ([]viewv1alpha1.Report, error) {
	// Without the content: members of many months may be many megabytes.
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.Live.List(ctx, list, client.InNamespace(v1alpha1.SystemNamespace),
		client.MatchingLabels{labelKept: "true", v1alpha1.LabelOrganization: organization.Name})
	if err != nil {
		return nil, fmt.Errorf("list the reports of %s: %w", organization.Name, err)
	}
	var found []viewv1alpha1.Report
	for i := range list.Items {
		if !metav1.IsControlledBy(&list.Items[i], organization) {
			continue
		}
		var summary viewv1alpha1.Report
		if err := json.Unmarshal([]byte(list.Items[i].Annotations[annotationSummary]), &summary); err != nil {
			return nil, fmt.Errorf("read the summary of ConfigMap %s: %w", list.Items[i].Name, err)
		}
		found = append(found, summary)
	}
	slices.SortFunc(found, func(a, b viewv1alpha1.Report) int { return strings.Compare(b.Name, a.Name) })
	return found, nil
}

// Keep keeps a report, and returns what is kept: the earlier one, where the month has one already.
func (s *Store) Keep(
	ctx context.Context, organization *v1alpha1.Organization, month report.Month, made *viewv1alpha1.Report,
) (*viewv1alpha1.Report, error) {
	made = made.DeepCopy()
	made.Kept = true
	content, err := fit(made)
	if err != nil {
		return nil, err
	}
	summary := made.DeepCopy()
	summary.Members = nil
	short, err := json.Marshal(summary)
	if err != nil {
		return nil, err
	}
	owner := metav1.NewControllerRef(organization, v1alpha1.GroupVersion.WithKind("Organization"))
	// The collector asks for more rights where it is to hold up the owner's deletion; nothing needs that.
	owner.BlockOwnerDeletion = nil
	err = s.Writer.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: nameOf(organization.Name, month),
			Labels: map[string]string{
				labelKept: "true", v1alpha1.LabelOrganization: organization.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster,
			},
			Annotations:     map[string]string{annotationSummary: string(short)},
			OwnerReferences: []metav1.OwnerReference{*owner},
		},
		Immutable:  ptr.To(true),
		BinaryData: map[string][]byte{contentKey: content},
	}, client.DisableReadYourWritesConsistency)
	if apierrors.IsAlreadyExists(err) {
		return s.existing(ctx, organization, month)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the report of %s: %w", month, err)
	}
	return made, nil
}

func (s *Store) existing(
	ctx context.Context, organization *v1alpha1.Organization, month report.Month,
) (*viewv1alpha1.Report, error) {
	kept, err := s.Get(ctx, organization, month)
	if kept == nil && err == nil {
		err = fmt.Errorf("the report of %s of an earlier organization %s is still going", month, organization.Name)
	}
	return kept, err
}

// fit compresses a report. One that is too large keeps those of whom something stands out, as far as they fit.
func fit(made *viewv1alpha1.Report) ([]byte, error) {
	content, err := encode(made)
	for err == nil && len(content) > maxContent && len(made.Members) > 0 {
		// Those of whom most stands out come first.
		keep := len(made.Members) * maxContent / len(content) * 9 / 10
		made.MembersLeftOut += int32(len(made.Members) - keep)
		made.Members = made.Members[:keep]
		content, err = encode(made)
	}
	return content, err
}

func encode(made *viewv1alpha1.Report) ([]byte, error) {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if err := json.NewEncoder(writer).Encode(made); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return compressed.Bytes(), nil
}

func decode(content []byte) (*viewv1alpha1.Report, error) {
	reader, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read a kept report: %w", err)
	}
	made := &viewv1alpha1.Report{}
	plain, err := io.ReadAll(reader)
	if err == nil {
		err = json.Unmarshal(plain, made)
	}
	if err != nil {
		return nil, fmt.Errorf("read a kept report: %w", err)
	}
	return made, nil
}

func nameOf(organization string, month report.Month) string {
	return "roster-report-" + organization + "-" + month.String()
}
