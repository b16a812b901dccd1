package invitation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	// maxWrongCodes is how many wrong codes one caller may give in a window, over all organizations.
	maxWrongCodes = 5
	// window begins with a caller's first wrong code.
	window = time.Hour
	// maxCallers is how many callers are remembered. Beyond that the one whose window began first is forgotten, so that many
	// callers can't fill the memory, and none of them is refused for the others.
	maxCallers = 1000
	// budgetObject is the ConfigMap in roster-system that remembers them, for all replicas and over restarts.
	budgetObject = "roster-wrong-codes"
	// callerDigits of a caller's hash are a key: usernames hold characters that no key of a ConfigMap may hold.
	callerDigits = 32
)

// overruns is how long a replica tries to count while others count.
var overruns = wait.Backoff{Steps: 12, Duration: 5 * time.Millisecond, Factor: 1.5, Jitter: 1}

// Budget counts the wrong codes of each caller. They count against nobody and nothing else.
type Budget struct {
	// Live reads from the API server itself: what another replica has counted counts.
	Live   client.Reader
	Writer client.Client
	Clock  clock.PassiveClock

	// counting is held while one wrong code is counted, so that the callers of one replica don't overrun each other.
	counting sync.Mutex
}

// spent is how many wrong codes a caller has given since when.
type spent struct {
	number int
	since  time.Time
}

// Check refuses a caller who may give no code now.
func (b *Budget) Check(ctx context.Context, username string) error {
	kept, err := b.read(ctx)
	if err != nil {
		return err
	}
	if before := spentBy(kept.Data, callerOf(username), b.Clock.Now()); before.number >= maxWrongCodes {
		return tooManyWrongCodes(before)
	}
	return nil
}

// Spend counts a wrong code and says how many it has been in the window. A caller who has spent the budget meanwhile, by
// requests at the same time, is refused like any other such caller.
func (b *Budget) Spend(ctx context.Context, username string) (int, error) {
	b.counting.Lock()
	defer b.counting.Unlock()
	number := 0
	err := retry.OnError(overruns, isOverrun, func() error {
		kept, err := b.read(ctx)
		if err != nil {
			return err
		}
		now, caller := b.Clock.Now(), callerOf(username)
		before := spentBy(kept.Data, caller, now)
		if before.number >= maxWrongCodes {
			return tooManyWrongCodes(before)
		}
		before.number++
		number = before.number
		kept.Data = withSpent(kept.Data, caller, before, now)
		return b.write(ctx, kept)
	})
	if isOverrun(err) {
		return 0, apierrors.NewServerTimeout(answers, "create", 1)
	}
	return number, err
}

func (b *Budget) read(ctx context.Context) (*corev1.ConfigMap, error) {
	kept := &corev1.ConfigMap{}
	err := b.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: budgetObject}, kept)
	if apierrors.IsNotFound(err) {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: budgetObject,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster},
		}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s in %s, which counts wrong codes: %w", budgetObject, v1alpha1.SystemNamespace, err)
	}
	return kept, nil
}

// write fails when another replica has counted since the ConfigMap was read, so that no two wrong codes count as one.
func (b *Budget) write(ctx context.Context, kept *corev1.ConfigMap) error {
	// The ConfigMap is read past the caches, which need not wait for what is written.
	if kept.ResourceVersion == "" {
		return b.Writer.Create(ctx, kept, client.DisableReadYourWritesConsistency)
	}
	return b.Writer.Update(ctx, kept, client.DisableReadYourWritesConsistency)
}

// isOverrun: somebody else has changed or made the object since it was read.
func isOverrun(err error) bool {
	return (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)) && !isAnswer(err)
}

func callerOf(username string) string {
	hash := sha256.Sum256([]byte(username))
	return hex.EncodeToString(hash[:])[:callerDigits]
}

// spentBy is what a caller has spent in the window that isn't over; a new window begins now. What can't be read counts for
// nothing: only Roster and cluster administrators write it.
func spentBy(data map[string]string, caller string, now time.Time) spent {
	before, err := parseSpent(data[caller])
	if err != nil || isOver(before, now) {
		return spent{since: now}
	}
	return before
}

func isOver(spent spent, now time.Time) bool { return !now.Before(spent.since.Add(window)) }

// withSpent is the data with what one caller has spent, without windows that are over, and with no more callers than are
// remembered.
func withSpent(data map[string]string, caller string, by spent, now time.Time) map[string]string {
	others := map[string]spent{}
	for key, value := range data {
		if other, err := parseSpent(value); err == nil && key != caller && !isOver(other, now) {
			others[key] = other
		}
	}
	latestFirst := slices.SortedFunc(maps.Keys(others), func(a, b string) int {
		return cmp.Or(others[b].since.Compare(others[a].since), cmp.Compare(a, b))
	})
	kept := map[string]string{caller: by.String()}
	for _, key := range latestFirst[:min(len(latestFirst), maxCallers-1)] {
		kept[key] = data[key]
	}
	return kept
}

func (s spent) String() string {
	return fmt.Sprintf("%d %s", s.number, s.since.UTC().Format(time.RFC3339))
}

func parseSpent(text string) (spent, error) {
	number, since, _ := strings.Cut(text, " ")
	count, countErr := strconv.Atoi(number)
	at, err := time.Parse(time.RFC3339, since)
	return spent{number: count, since: at}, errors.Join(countErr, err)
}

func tooManyWrongCodes(spent spent) error {
	return refusal(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
		"you have given %d wrong codes within an hour, so codes from you are refused until %s, right or wrong; then copy the "+
			"code whole from the newest mail, or ask an administrator of the organization to invite you by username",
		spent.number, spent.since.Add(window).UTC().Format(time.RFC3339)))
}
