// Package openapi describes the view API's kinds and Kubernetes' own types in them, for kubectl explain. It is generated
// from the comments of the types.
package openapi
