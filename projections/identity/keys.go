package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"strata/domain"
	"strata/domain/identity"
	"strata/projections/query"
)

// KeyFilter narrows a list of API keys. Empty fields do not.
type KeyFilter struct {
	Organization string // the caller's; required
	Workspace    string
	Owner        string // user it acts as
	Type         string
	Status       string // active, revoked or expired
	Search       string // part of the name
}

// APIKey reads a key of an organization; NOT_FOUND when there is none.
func (q *Queries) APIKey(ctx context.Context, organization, id string) (APIKey, error) {
	return get(ctx, q, apiKeys, "api_keys", new(query.Where).Eq("id", id).Eq("organization", organization), id)
}

// APIKeys lists an organization's keys, revoked ones too. What a key's status
// is follows from the time: ask [identity.APIKey.StatusAt].
func (q *Queries) APIKeys(ctx context.Context, f KeyFilter, p query.Page) (query.Result[APIKey], error) {
	var faults domain.Faults
	oneOf(&faults, "status", f.Status, identity.StatusActive, identity.StatusRevoked, identity.StatusExpired)
	oneOf(&faults, "type", f.Type, identity.KeyTypes()...)
	if err := faults.Err(); err != nil {
		return query.Result[APIKey]{}, err
	}
	where := new(query.Where).Eq("organization", f.Organization).EqIf("workspace", f.Workspace).EqIf("owner", f.Owner).EqIf("type", f.Type)
	now := q.now().UnixMicro()
	switch identity.Status(f.Status) {
	case identity.StatusActive:
		where.And("status = 'active' AND (expires_at = 0 OR expires_at > ?)", now)
	case identity.StatusExpired:
		where.And("status = 'active' AND expires_at <> 0 AND expires_at <= ?", now)
	case identity.StatusRevoked:
		where.And("status = 'revoked'")
	}
	contains(where, f.Search, "name")
	return list[identity.APIKey](ctx, q, "api_keys", where, p)
}

// byPrefix prefers a key that works, should a prefix occur twice: an operator
// may choose the same first key for an installation again.
const byPrefix = `SELECT k.state, coalesce(u.role, ''), coalesce(u.status, ''), coalesce(w.status, ''), coalesce(o.status, ''),
	coalesce(json_extract(u.state, '$.Grants."' || k.workspace || '"'), '[]')
FROM api_keys k
LEFT JOIN organizations o ON o.id = k.organization
LEFT JOIN workspaces w ON w.id = k.workspace AND w.organization = k.organization
LEFT JOIN users u ON u.id = k.owner AND u.organization = k.organization
WHERE k.prefix = ? ORDER BY k.status = 'active' DESC, k.created_at DESC, k.id DESC LIMIT 1`

// KeyByPrefix finds the credential whose key has a public prefix; false when
// there is none. It makes Queries the store of an authenticator.
func (q *Queries) KeyByPrefix(ctx context.Context, prefix string) (identity.Credential, bool, error) {
	var c identity.Credential
	var state, grants []byte
	err := q.db.QueryRow(ctx, byPrefix, prefix).Scan(&state, &c.OwnerRole, &c.OwnerStatus, &c.WorkspaceStatus, &c.OrganizationStatus, &grants)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("API key by prefix: %w", err)
	}
	if err := json.Unmarshal(state, &c.APIKey); err != nil {
		return c, false, fmt.Errorf("stored API key: %w", err)
	}
	if err := json.Unmarshal(grants, &c.OwnerGrants); err != nil {
		return c, false, fmt.Errorf("stored grants of %s: %w", c.OwnerID, err)
	}
	return c, true, nil
}
