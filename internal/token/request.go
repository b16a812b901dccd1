package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

const (
	// shortestLife is the least that the TokenRequest API gives.
	shortestLife = 10 * time.Minute
	// extendedLife is the one number of seconds that the API server takes for a Pod's token, and makes a year of.
	extendedLife = 3607
)

// Request asks for a token that is bound to a Secret and lives for some time.
func Request(life time.Duration, bound *corev1.Secret) *authenticationv1.TokenRequest {
	seconds := int64(math.Ceil(max(life, shortestLife).Seconds()))
	if seconds == extendedLife {
		seconds--
	}
	return &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: ptr.To(seconds),
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Secret", Name: bound.Name, UID: bound.UID,
		},
	}}
}

// ID is what the API server calls a token in its audit log. The token itself is in no error.
func ID(token string) (string, error) {
	parts := strings.Split(token, ".")
	const header, payload, signature = 0, 1, 2
	if len(parts) != signature+1 || parts[header] == "" {
		return "", errors.New("the API server's token isn't one that Kubernetes signs by itself: it has no ID")
	}
	content, err := base64.RawURLEncoding.DecodeString(parts[payload])
	if err != nil {
		return "", errors.New("the API server's token can't be read: its middle part isn't base64")
	}
	var claims struct {
		ID string `json:"jti"`
	}
	if json.Unmarshal(content, &claims) != nil || claims.ID == "" {
		return "", errors.New("the API server's token has no claim jti; Roster needs Kubernetes 1.32 or newer")
	}
	return "JTI=" + claims.ID, nil
}
