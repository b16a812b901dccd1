package environment

import (
	"context"
	"fmt"
	"time"
)

// viewTimeout is how long the manager and the API server may take until the view API is served.
const viewTimeout = time.Minute

// viewOverlay is config/apiserver for a manager outside of the cluster, at the Service that ConnectWebhook has applied.
const viewOverlay = `resources:
- %[1]s
patches:
- target: {kind: APIService}
  patch: |-
    - {op: replace, path: /spec/service/port, value: %[3]d}
`

// ConnectView applies config/apiserver for the manager that was started last, and returns when kubectl gets an answer.
// ConnectWebhook comes before. From then on no namespace is deleted to the end while the manager is down.
func (c *Cluster) ConnectView(ctx context.Context) error {
	c.progress("connecting the view API")
	overlay, err := c.writeOverlay("apiserver", viewOverlay)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, overlay); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	var unanswered error
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		unanswered = c.ViewAnswers(ctx)
		return unanswered == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the API server doesn't reach the view API: %w: %w", err, unanswered)
	}
	return nil
}

// ViewAnswers asks for something of both groups. After a start of the manager it takes the API server a moment to see that the
// view API is there again.
func (c *Cluster) ViewAnswers(ctx context.Context) error {
	for _, path := range []string{"/apis/view.roster.dev/v1alpha1", "/apis/self.roster.dev/v1alpha1/profiles/me"} {
		if _, err := c.Kubectl(ctx, "get", "--raw", path); err != nil {
			return err
		}
	}
	return nil
}

// ViewURL is the address of the view API itself, past the API server.
func (c *Cluster) ViewURL() string { return "https://" + address(c.state.ViewPort) }
