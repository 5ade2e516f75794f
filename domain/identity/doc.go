// Package identity is who may do what: organizations (tenants), their
// workspaces, their users and the API keys that act for them, and the roles and
// scopes that permissions follow from.
//
// The four are aggregates of one small language, so they share a package:
// [Organizations], [Workspaces], [Users] and [APIKeys], with one file per
// command. They belong to an organization, not to one of its workspaces, so
// their commands must be run by a principal without a workspace.
//
// A key never has more than its owner: its permissions are those of the owner's
// role, narrowed by the key's scopes, worked out anew whenever it is used (see
// [Credential]). Only a hash of a key's secret is ever written down.
package identity
