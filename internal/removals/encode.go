package removals

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	engine "github.com/roster-dev/roster/internal/access"
)

// The written form of a State. Names and scopes stand in it once, since thousands of users share few of them.
type (
	writtenState struct {
		Organization types.UID            `json:"organization"`
		Users        []string             `json:"users,omitempty"`
		Scopes       []writtenScope       `json:"scopes,omitempty"`
		People       int                  `json:"people"`
		Access       []writtenGroup       `json:"access,omitempty"`
		Held         []writtenGroup       `json:"held,omitempty"`
		HeldSince    time.Time            `json:"heldSince,omitzero"`
		HeldNonce    string               `json:"heldNonce,omitempty"`
		Window       Window               `json:"window,omitzero"`
		LetGo        map[string]time.Time `json:"letGo,omitempty"`
		Safeguard    Safeguard            `json:"safeguard"`
	}
	writtenScope struct {
		Organization bool     `json:"organization,omitempty"`
		Namespaces   []string `json:"namespaces,omitempty"`
	}
	writtenGroup struct {
		RoleOrganization string    `json:"roleOrganization,omitempty"`
		RoleName         string    `json:"roleName"`
		Origin           string    `json:"origin"`
		Until            time.Time `json:"until,omitzero"`
		Scope            int       `json:"scope"`
		Users            []int     `json:"users"`
	}
)

// Encode writes a state for keeping, compressed.
func Encode(state State) ([]byte, error) {
	w := &writer{users: map[string]int{}, scopes: map[*engine.Scope]int{}, shared: newSharedScopes()}
	w.state = writtenState{
		Organization: state.Organization, People: state.Access.People,
		HeldSince: state.Held.Since, HeldNonce: state.Held.Nonce,
		Window: state.Window, LetGo: state.LetGo, Safeguard: state.Safeguard,
	}
	w.state.Access, w.state.Held = w.groups(state.Access.Groups), w.groups(state.Held.Groups)
	var compressed bytes.Buffer
	// The level is a constant that is known to be one.
	compressor, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err := json.NewEncoder(compressor).Encode(w.state); err != nil {
		return nil, fmt.Errorf("encode the state of removals: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return nil, fmt.Errorf("compress the state of removals: %w", err)
	}
	return compressed.Bytes(), nil
}

// writer numbers names and scopes.
type writer struct {
	state  writtenState
	users  map[string]int
	scopes map[*engine.Scope]int
	shared *sharedScopes
}

func (w *writer) groups(groups []Group) []writtenGroup {
	var written []writtenGroup
	for _, group := range groups {
		at := writtenGroup{
			RoleOrganization: group.Role.Organization, RoleName: group.Role.Name,
			Origin: group.Origin, Until: group.Until, Scope: w.scope(group.Scope),
		}
		for _, user := range group.Users {
			at.Users = append(at.Users, w.user(user))
		}
		written = append(written, at)
	}
	return written
}

func (w *writer) scope(scope *engine.Scope) int {
	scope = w.shared.shared(scope)
	number, known := w.scopes[scope]
	if !known {
		number = len(w.state.Scopes)
		w.scopes[scope] = number
		w.state.Scopes = append(w.state.Scopes, writtenScope{scope.Organization, scope.Namespaces})
	}
	return number
}

func (w *writer) user(name string) int {
	number, known := w.users[name]
	if !known {
		number = len(w.state.Users)
		w.users[name] = number
		w.state.Users = append(w.state.Users, name)
	}
	return number
}

// Decode reads what Encode wrote.
func Decode(content []byte) (*State, error) {
	decompressor, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("decompress the state of removals: %w", err)
	}
	var written writtenState
	if err := json.NewDecoder(decompressor).Decode(&written); err != nil {
		return nil, fmt.Errorf("decode the state of removals: %w", err)
	}
	state := &State{
		Organization: written.Organization, Access: Access{People: written.People},
		Held:   Hold{Since: written.HeldSince, Nonce: written.HeldNonce},
		Window: written.Window, LetGo: written.LetGo, Safeguard: written.Safeguard,
	}
	scopes := make([]*engine.Scope, 0, len(written.Scopes))
	for _, scope := range written.Scopes {
		scopes = append(scopes, &engine.Scope{Organization: scope.Organization, Namespaces: scope.Namespaces})
	}
	if state.Access.Groups, err = readGroups(written, scopes, written.Access); err != nil {
		return nil, err
	}
	if state.Held.Groups, err = readGroups(written, scopes, written.Held); err != nil {
		return nil, err
	}
	return state, nil
}

func readGroups(written writtenState, scopes []*engine.Scope, groups []writtenGroup) ([]Group, error) {
	var read []Group
	for _, at := range groups {
		if at.Scope < 0 || at.Scope >= len(scopes) {
			return nil, fmt.Errorf("the state of removals names scope %d of %d", at.Scope, len(scopes))
		}
		group := Group{Grant: Grant{
			Role:   engine.RoleReference{Organization: at.RoleOrganization, Name: at.RoleName},
			Origin: at.Origin, Until: at.Until, Scope: scopes[at.Scope],
		}}
		for _, user := range at.Users {
			if user < 0 || user >= len(written.Users) {
				return nil, fmt.Errorf("the state of removals names user %d of %d", user, len(written.Users))
			}
			group.Users = append(group.Users, written.Users[user])
		}
		read = append(read, group)
	}
	return read, nil
}
