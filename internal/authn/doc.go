// Package authn turns a bearer token into a principal.
//
// An API key is made by [NewKey] and shown to its owner once; only its public
// prefix and a SHA-256 are kept. [Authenticator] finds the key by its prefix in
// the identity read model, compares the hash in constant time, and asks the
// credential whether it works now: not revoked or expired, its owner, workspace
// and organization in good standing.
//
// Credentials are cached. The cache is dropped whenever the identity read model
// commits something ([Authenticator.Forget]), which is rare, so that a revoked
// key stops working as soon as the revocation is committed.
//
// A key that was made a moment ago may not have reached the read model yet. So
// a key that is not found is looked up once more after the model has caught up
// with the log, before it is refused.
package authn
