package identity

import "strata/domain"

// SuspendOrganization locks a tenant out; doing it again does nothing.
type SuspendOrganization struct{ Reason string }

// Decide implements domain.Decider.
func (c SuspendOrganization) Decide(_ domain.Env, o *Organization) ([]domain.Fact, error) {
	if err := o.alive(); err != nil {
		return nil, err
	}
	if o.Status == StatusSuspended {
		return nil, nil
	}
	return []domain.Fact{OrganizationSuspended(c)}, nil
}

// ReinstateOrganization lets a suspended tenant in again.
type ReinstateOrganization struct{}

// Decide implements domain.Decider.
func (ReinstateOrganization) Decide(_ domain.Env, o *Organization) ([]domain.Fact, error) {
	if err := o.alive(); err != nil {
		return nil, err
	}
	if o.Status == StatusActive {
		return nil, nil
	}
	return []domain.Fact{OrganizationReinstated{}}, nil
}
