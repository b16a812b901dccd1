package view

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/report"
	"github.com/roster-dev/roster/internal/reports"
	"github.com/roster-dev/roster/internal/snapshot"
)

// KeptReports is where the reports of months that have ended are kept.
type KeptReports interface {
	// Get is the report of a month; nil where none is kept.
	Get(ctx context.Context, organization *v1alpha1.Organization, month report.Month) (*viewv1alpha1.Report, error)
	// List are all without their members, the latest first.
	List(ctx context.Context, organization *v1alpha1.Organization) ([]viewv1alpha1.Report, error)
}

// reportStorage answers for reports.
type reportStorage struct {
	table[viewv1alpha1.Report]
	answers *Answers
	kept    KeptReports
}

var (
	_ rest.Lister               = &reportStorage{}
	_ rest.Getter               = &reportStorage{}
	_ rest.Scoper               = &reportStorage{}
	_ rest.SingularNameProvider = &reportStorage{}
)

var reportResource = viewv1alpha1.GroupVersion.WithResource("reports").GroupResource()

// New is an empty Report.
func (*reportStorage) New() runtime.Object { return &viewv1alpha1.Report{} }

// NewList is an empty list.
func (*reportStorage) NewList() runtime.Object { return &viewv1alpha1.ReportList{} }

// Destroy has nothing to do.
func (*reportStorage) Destroy() {}

// NamespaceScoped says that reports are asked for in an organization's namespace.
func (*reportStorage) NamespaceScoped() bool { return true }

// GetSingularName is what one is called.
func (*reportStorage) GetSingularName() string { return "report" }

// Get gives the report of one month: the present one as things are now, one before as it was kept when it had ended.
func (s *reportStorage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	month, err := report.ParseMonth(name)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	organization, err := s.organization(ctx)
	if err != nil {
		return nil, err
	}
	if organization == nil {
		return nil, apierrors.NewNotFound(reportResource, name)
	}
	present := report.MonthOf(s.answers.clock.Now())
	if month == present {
		return reports.Make(ctx, s.answers.reader, organization.Name, present, s.answers.clock.Now())
	}
	kept, err := s.kept.Get(ctx, organization, month)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if kept == nil {
		missing := apierrors.NewNotFound(reportResource, name)
		missing.ErrStatus.Message = fmt.Sprintf("no report of %s is kept of organization %s: reports are kept of months that end "+
			"while its spec.reports.monthly is true; the present month is %s", month, organization.Name, present)
		return nil, missing
	}
	return kept, nil
}

// List gives the months of which there is a report, the latest first, without the members.
func (s *reportStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := refuseLabels(options, viewv1alpha1.GroupVersion.WithKind("Report")); err != nil {
		return nil, err
	}
	if request.NamespaceValue(ctx) == "" {
		return nil, apierrors.NewBadRequest("reports are listed of one organization: name its namespace, such as org-acme")
	}
	list := &viewv1alpha1.ReportList{Items: []viewv1alpha1.Report{}}
	organization, err := s.organization(ctx)
	if organization == nil || err != nil {
		return list, err
	}
	now := s.answers.clock.Now()
	present, err := reports.Make(ctx, s.answers.reader, organization.Name, report.MonthOf(now), now)
	if err != nil {
		return nil, err
	}
	present.Members = nil
	kept, err := s.kept.List(ctx, organization)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	selection := selectionOf(options)
	for _, one := range slices.Insert(kept, 0, *present) {
		if selection.selects(fieldName, one.Name) {
			list.Items = append(list.Items, one)
		}
	}
	return list, nil
}

// organization is the one whose namespace is asked about; nil where there is none that has one.
func (s *reportStorage) organization(ctx context.Context) (*v1alpha1.Organization, error) {
	name, found := v1alpha1.OrganizationOf(request.NamespaceValue(ctx))
	if !found {
		return nil, nil
	}
	organization := &v1alpha1.Organization{}
	err := s.answers.reader.Get(ctx, client.ObjectKey{Name: name}, organization, snapshot.Shared)
	if apierrors.IsNotFound(err) || err == nil && organization.IsPersonal() {
		return nil, nil
	}
	return organization, err
}

func newReportCells() table[viewv1alpha1.Report] {
	return table[viewv1alpha1.Report]{
		columns: []metav1.TableColumnDefinition{
			column("Month", "The month, by which one report is got."),
			column("Members", "The number of members."),
			column("Stale", "Members without a sign-in for 90 days."),
			column("Elevated-Stale", "Owners, administrators and maintainers among these."),
			column("No-MFA", "Members without a second factor."),
			column("Unused-Tokens", "Members with API tokens that weren't used for 90 days."),
			column("Taken", "The instant that the report is of."),
		},
		cells: func(r *viewv1alpha1.Report) []any {
			taken := date(&r.TakenAt)
			if !r.Kept {
				taken = "now"
			}
			return []any{
				r.Name, r.Summary.Members, stale(r, r.Summary.NoSignIn), stale(r, r.Summary.ElevatedAndStale), r.Summary.NoMFA,
				stale(r, r.Summary.TokensUnused), taken,
			}
		},
	}
}

// stale is a number of who wasn't seen, where that is known.
func stale(report *viewv1alpha1.Report, number int32) any {
	if report.LastSeenSince == nil {
		return "<unknown>"
	}
	return number
}
