package activity

import (
	"context"
	"errors"
	"sync"

	"k8s.io/utils/clock"
)

// Source opens a store when it is first asked for, and again when it has turned out to be damaged or another one: what
// stands on it starts and goes on without a database, and finds it once it is there.
type Source struct {
	url   string
	clock clock.PassiveClock

	mutex sync.Mutex
	store *Store
}

// NewSource takes the URL that Open takes, and touches nothing yet.
func NewSource(url string, clock clock.PassiveClock) *Source {
	return &Source{url: url, clock: clock}
}

// Store gives the open store, or says why there is none.
func (s *Source) Store(ctx context.Context) (*Store, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.store != nil {
		return s.store, nil
	}
	store, err := Open(ctx, s.url, s.clock)
	if err != nil {
		return nil, err
	}
	s.store = store
	return store, nil
}

// Append stores records, see Store.Append.
func (s *Source) Append(ctx context.Context, changes []Record) error {
	return s.With(ctx, func(store *Store) error { return store.Append(ctx, changes) })
}

// Ping tells whether the database answers, see Store.Ping.
func (s *Source) Ping(ctx context.Context) error {
	return s.With(ctx, func(store *Store) error { return store.Ping(ctx) })
}

// With hands over the store, and lets go of it when it can't be used any more. A server that is away is found again by
// the connections themselves.
func (s *Source) With(ctx context.Context, do func(*Store) error) error {
	store, err := s.Store(ctx)
	if err != nil {
		return err
	}
	err = do(store)
	switch wrong := store.database.usable(); {
	case errors.Is(wrong, ErrCorrupt):
		// Closing it would write into a file that somebody may want to look at. It is let go once it was moved aside.
	case wrong != nil, errors.Is(err, ErrCorrupt):
		return errors.Join(err, s.discard(store))
	}
	return err
}

func (s *Source) discard(store *Store) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.store != store {
		return nil
	}
	s.store = nil
	return store.Close()
}

// Close closes the store if it is open.
func (s *Source) Close() error {
	s.mutex.Lock()
	store := s.store
	s.mutex.Unlock()
	if store == nil {
		return nil
	}
	return s.discard(store)
}
