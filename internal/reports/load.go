// Package reports makes reports from the caches, and keeps those of months that have ended.
package reports

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/audit"
	"github.com/roster-dev/roster/internal/report"
	"github.com/roster-dev/roster/internal/snapshot"
)

// Make is the report of a month on an organization as things are now.
func Make(
	ctx context.Context, reader client.Reader, organization string, month report.Month, now time.Time,
) (*viewv1alpha1.Report, error) {
	facts := report.Facts{Organization: organization}
	var err error
	if facts.World, err = snapshot.Load(ctx, reader, organization); err != nil {
		return nil, err
	}
	var users v1alpha1.UserList
	if err := reader.List(ctx, &users, snapshot.Shared); err != nil {
		return nil, fmt.Errorf("list Users: %w", err)
	}
	var tokens v1alpha1.APITokenList
	if err := reader.List(ctx, &tokens, snapshot.Shared); err != nil {
		return nil, fmt.Errorf("list APITokens: %w", err)
	}
	facts.Users, facts.Tokens = users.Items, tokens.Items
	namespace := &corev1.Namespace{}
	if err := reader.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, namespace, snapshot.Shared); err != nil {
		return nil, fmt.Errorf("read Namespace %s: %w", v1alpha1.SystemNamespace, err)
	}
	facts.LastSeenSince = audit.StreamSince(namespace)
	return report.New(facts, month, now), nil
}
