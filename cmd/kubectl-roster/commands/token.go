package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var apiTokens = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "apitokens"}

const meaningOfToken = "its name, as kubectl roster token list shows it"

// newTokenCommand returns the command about credentials for automation, with all that are below it.
func newTokenCommand(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for automation, list, rotate and revoke them",
	}
	command.AddCommand(
		newTokenCreateCommand(streams), newTokenListCommand(streams), newTokenRotateCommand(streams),
		newTokenRevokeCommand(streams),
	)
	return command
}

// token holds the options of the commands about tokens.
type token struct {
	writing
	user, description, secret string
	roles, projects           []string
	organizationWide          bool
	expiresAfter              time.Duration
	rotateEvery, overlap      time.Duration
}

func newToken(streams genericiooptions.IOStreams) *token {
	return &token{writing: newWriting(streams)}
}

// newTokenCreateCommand returns the command that makes a token.
func newTokenCreateCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newToken(streams)
	command := &cobra.Command{
		Use:   "create NAME --organization ORGANIZATION --role ROLE",
		Short: "Make a token of your own for automation",
		Long: `Make a token of your own for automation. It does what its roles allow, where you hold them
yourself, and never more than you; it ends when you leave. The token isn't printed: it is in
the Secret that this command names, which you alone may read.`,
		Example: `  # Let a pipeline deploy to acme's shop, with a new token each week
  kubectl roster token create ci --organization acme --role developer --project shop --rotate-every 168h

  # Use it
  kubectl get secret ci -n org-acme -o jsonpath='{.data.kubeconfig}' | base64 -d > ci.kubeconfig`,
		Args: oneArgument("token", "a name for it, such as ci"),
		RunE: func(command *cobra.Command, arguments []string) error {
			var overlap *metav1.Duration
			if command.Flags().Changed("overlap") {
				overlap = &metav1.Duration{Duration: options.overlap}
			}
			return options.create(command.Context(), arguments[0], overlap)
		},
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.StringSliceVar(&options.roles, "role", nil, "Role of the token, which you hold; may be repeated")
	flags.StringSliceVar(&options.projects, "project", nil, "Project in which it works; may be repeated")
	flags.BoolVar(&options.organizationWide, "organization-wide", false, "Let it work everywhere where you hold the roles")
	flags.StringVar(&options.description, "description", "", "What it is for")
	flags.DurationVar(&options.expiresAfter, "expires-after", 0,
		"How long it lives, such as 720h; left out: as long as the organization allows")
	flags.DurationVar(&options.rotateEvery, "rotate-every", 0, "Replace it so often, such as 168h; left out: on demand alone")
	flags.DurationVar(&options.overlap, "overlap", 0,
		"How long the old token works beside the new one; left out: 1h, or half of --rotate-every where that is shorter")
	flags.StringVar(&options.secret, "secret", "", "Name of the Secret for it; left out: the token's")
	flags.StringVar(&options.user, "for", "", "Whose token it is, where you may impersonate that user; left out: yours")
	return command
}

func (o *token) create(ctx context.Context, name string, overlap *metav1.Duration) error {
	switch {
	case len(o.roles) == 0:
		return errors.New("name the roles of the token, such as --role developer")
	case o.organizationWide == (len(o.projects) > 0):
		return errors.New("say where it works: --project NAME, or --organization-wide for everything")
	case overlap != nil && o.rotateEvery == 0:
		return errors.New("--overlap is about rotation: say how often by --rotate-every, such as 168h")
	}
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	made := o.object(namespace, name, overlap)
	switch err := server.Create(ctx, made); {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%w: to have that one's token replaced: kubectl roster token rotate %s -n %s", err, name, namespace)
	case err != nil:
		return explainWrite(err, apiTokens, namespace)
	}
	return o.say("apitoken.roster.dev/%s created: its token comes in Secret %s of namespace %s", name, made.SecretName(),
		namespace)
}

func (o *token) object(namespace, name string, overlap *metav1.Duration) *v1alpha1.APIToken {
	made := &v1alpha1.APIToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.APITokenSpec{
			User: v1alpha1.Username(o.user), Description: o.description, Roles: namesOf[v1alpha1.RoleName](o.roles),
			Projects: namesOf[v1alpha1.ObjectName](o.projects), OrganizationWide: o.organizationWide, SecretName: o.secret,
		},
	}
	if o.expiresAfter != 0 {
		made.Spec.ExpiresAfter = &metav1.Duration{Duration: o.expiresAfter}
	}
	if o.rotateEvery != 0 {
		made.Spec.Rotation = &v1alpha1.TokenRotation{Every: metav1.Duration{Duration: o.rotateEvery}, Overlap: overlap}
	}
	return made
}

// newTokenListCommand returns the command that lists an organization's tokens.
func newTokenListCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newListing(streams, "APIToken", apiTokens.Resource)
	options.kind = v1alpha1.GroupVersion.WithKind("APIToken")
	command := &cobra.Command{
		Use:   "list",
		Short: "List the tokens of an organization, with whose each is and until when",
		Example: `  # All tokens of acme
  kubectl roster token list --organization acme

  # Those of one user
  kubectl roster token list --organization acme --field-selector spec.user=bo@acme.example`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command, "spec.user")
	return command
}

// newTokenRotateCommand returns the command that replaces a token.
func newTokenRotateCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newToken(streams)
	command := &cobra.Command{
		Use:   "rotate NAME --organization ORGANIZATION",
		Short: "Replace a token by a new one in the same Secret",
		Long: `Replace a token by a new one in the same Secret. The old one works beside it for the overlap
(1h unless the token says otherwise). Revoke a token that somebody else may know.`,
		Example: `  # A new token now
  kubectl roster token rotate ci --organization acme`,
		Args: oneArgument("token", meaningOfToken),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.change(command.Context(), arguments[0], "a new token comes in its Secret", askForRotation)
		},
	}
	options.addFlags(command)
	return command
}

// newTokenRevokeCommand returns the command that ends a token.
func newTokenRevokeCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newToken(streams)
	command := &cobra.Command{
		Use:   "revoke NAME --organization ORGANIZATION",
		Short: "End a token for good",
		Long: `End a token for good. What it may do is taken away at once, and its Secret is deleted. The
APIToken stays for a while as a record. Your own you may always revoke, others as an owner or
administrator.`,
		Example: `  # End it
  kubectl roster token revoke ci --organization acme`,
		Args: oneArgument("token", meaningOfToken),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.change(command.Context(), arguments[0], "it is revoked",
				func(t *v1alpha1.APIToken) error {
					t.Spec.Revoked = true
					return nil
				})
		},
	}
	options.addFlags(command)
	return command
}

// askForRotation: one that has ended gets no new token, whatever is asked.
func askForRotation(token *v1alpha1.APIToken) error {
	if token.Spec.Revoked || token.Status.EndedAt != nil {
		return fmt.Errorf("API token %s has ended and gets no new token: make another one by kubectl roster token create",
			token.Name)
	}
	metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationRotate, time.Now().UTC().Format(time.RFC3339Nano))
	return nil
}

func (o *token) change(ctx context.Context, name, done string, change func(*v1alpha1.APIToken) error) error {
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	found := &v1alpha1.APIToken{}
	if err := server.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found); err != nil {
		return explainWrite(err, apiTokens, namespace)
	}
	before := found.DeepCopy()
	if err := change(found); err != nil {
		return err
	}
	if err := server.Patch(ctx, found, client.MergeFrom(before)); err != nil {
		return explainWrite(err, apiTokens, namespace)
	}
	return o.say("apitoken.roster.dev/%s: %s", name, done)
}
