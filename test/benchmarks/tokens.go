package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
)

// sweep measures how long the tokens of a user work on after that is deactivated.
type sweep struct {
	*stage
	tokens  []*v1alpha1.APIToken
	holders []client.Client
	// issuing is how long it took until all were Ready, refused how long each worked on.
	issuing time.Duration
	refused []time.Duration
	// working are those that still worked when all had been refused once.
	working int
}

const (
	robotOwner   = "robots@bench.example"
	sweepProject = "shop"
	sweepPods    = organization + "-" + sweepProject
)

// benchTokens measures on a control plane of its own and prints one table.
func benchTokens(ctx context.Context, options options, output, progress io.Writer) (err error) {
	s := &sweep{stage: &stage{options: options, progress: progress}}
	if err := (&admission{stage: s.stage}).run(ctx, s.furnish, s.issue, s.deactivate, s.recheck); err != nil {
		return err
	}
	return s.print(output)
}

func (s *sweep) furnish(ctx context.Context) (err error) {
	if err := s.install(ctx); err != nil {
		return err
	}
	account := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec:       v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{owner}},
	}
	if err := s.client.Create(ctx, account); err != nil {
		return err
	}
	if err := s.ready(ctx, account, &account.Status.Conditions); err != nil {
		return err
	}
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Namespace: "org-" + organization, Name: sweepProject}}
	member := membership("robots", robotOwner, viewer)
	if err := errors.Join(s.client.Create(ctx, project), s.client.Create(ctx, member)); err != nil {
		return err
	}
	return s.ready(ctx, member, &member.Status.Conditions)
}

func (s *sweep) issue(ctx context.Context) error {
	s.holders = make([]client.Client, s.options.tokens)
	begin := time.Now()
	var group errgroup.Group
	group.SetLimit(setupWriters)
	for n := range s.options.tokens {
		token := &v1alpha1.APIToken{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-" + organization, Name: fmt.Sprintf("ci-%04d", n)},
			Spec: v1alpha1.APITokenSpec{
				User: robotOwner, Roles: []v1alpha1.RoleName{viewer}, Projects: []v1alpha1.ObjectName{sweepProject},
			},
		}
		s.tokens = append(s.tokens, token)
		group.Go(func() error { return s.client.Create(ctx, token) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, token := range s.tokens {
		if err := s.ready(ctx, token, &token.Status.Conditions); err != nil {
			return err
		}
	}
	s.issuing = time.Since(begin)
	s.say("tokens: %d were Ready after %s", len(s.tokens), rounded(s.issuing))
	return s.each(func(n int) (err error) {
		if s.holders[n], err = s.holder(ctx, s.tokens[n]); err != nil {
			return err
		}
		return s.try(ctx, n)
	})
}

// holder is a client with nothing but a token's kubeconfig.
func (s *sweep) holder(ctx context.Context, token *v1alpha1.APIToken) (client.Client, error) {
	secret := &corev1.Secret{}
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: token.SecretName()}, secret); err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data["kubeconfig"])
	if err != nil {
		return nil, errors.New("a kubeconfig can't be used")
	}
	config.QPS = -1
	return client.New(config, client.Options{Scheme: manager.NewScheme(), Mapper: s.client.RESTMapper()})
}

func (s *sweep) try(ctx context.Context, n int) error {
	return s.holders[n].List(ctx, &corev1.PodList{}, client.InNamespace(sweepPods), client.Limit(1))
}

func (s *sweep) each(do func(n int) error) error {
	var group errgroup.Group
	group.SetLimit(setupWriters)
	for n := range s.tokens {
		group.Go(func() error { return do(n) })
	}
	return group.Wait()
}

func (s *sweep) deactivate(ctx context.Context) error {
	var users v1alpha1.UserList
	if err := s.client.List(ctx, &users, client.MatchingFields{"spec.username": robotOwner}); err != nil || len(users.Items) != 1 {
		return errors.Join(err, fmt.Errorf("%d Users of %s, and not one", len(users.Items), robotOwner))
	}
	user := &users.Items[0]
	before := user.DeepCopy()
	user.Spec.Deactivated = true
	if err := s.client.Patch(ctx, user, client.MergeFrom(before)); err != nil {
		return err
	}
	begin := time.Now()
	s.refused = make([]time.Duration, len(s.tokens))
	const pace = 5 * time.Millisecond
	return s.each(func(n int) error {
		return wait.PollUntilContextTimeout(ctx, pace, patience, true, func(ctx context.Context) (bool, error) {
			s.refused[n] = time.Since(begin)
			return isRefused(s.try(ctx, n))
		})
	})
}

// isRefused says whether the API server knows or lets the holder of a token no more.
func isRefused(err error) (bool, error) {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return true, nil
	}
	return false, err
}

func (s *sweep) recheck(ctx context.Context) error {
	for n := range s.tokens {
		if refused, err := isRefused(s.try(ctx, n)); err != nil {
			return err
		} else if !refused {
			s.working++
		}
	}
	return nil
}

func (s *sweep) print(output io.Writer) error {
	_, _ = fmt.Fprintf(output, "\n%d API tokens of one user; %d processors.\n\n", len(s.tokens), runtime.NumCPU())
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "WHAT\tTIME")
	_, _ = fmt.Fprintf(table, "until all are Ready\t%s\n", rounded(s.issuing))
	_, _ = fmt.Fprintf(table, "until the last one is refused once the user is deactivated\t%s\n", rounded(slices.Max(s.refused)))
	if err := table.Flush(); err != nil {
		return err
	}
	if s.working > 0 {
		return fmt.Errorf("%d tokens still work", s.working)
	}
	return nil
}
