package gatewaytest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"strata/domain"
	"strata/domain/inference"
	"strata/gateway"
)

// Directory holds providers and routes of one workspace in memory.
type Directory struct {
	mu        sync.Mutex
	providers []gateway.Provider
	routes    []gateway.Route
}

// AddProvider adds a provider, enabled and of type openai_compatible unless it says otherwise.
func (d *Directory) AddProvider(p gateway.Provider) {
	if p.Type == "" {
		p.Type, p.Enabled = gateway.OpenAICompatible, true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.providers = append(d.providers, p)
}

// AddRoute adds an enabled route.
func (d *Directory) AddRoute(r gateway.Route) {
	r.Enabled = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.routes = append(d.routes, r)
}

// Provider implements gateway.Directory.
func (d *Directory) Provider(_ context.Context, _, name string) (gateway.Provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.providers {
		if p.Name == name {
			return p, nil
		}
	}
	return gateway.Provider{}, domain.NotFound("provider", name)
}

// Providers implements gateway.Directory.
func (d *Directory) Providers(context.Context, string) ([]gateway.Provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.providers), nil
}

// Route implements gateway.Directory.
func (d *Directory) Route(_ context.Context, _, name string) (gateway.Route, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.routes {
		if r.Name == name {
			return r, nil
		}
	}
	return gateway.Route{}, domain.NotFound("model route", name)
}

// Routes implements gateway.Directory.
func (d *Directory) Routes(context.Context, string) ([]gateway.Route, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.routes), nil
}

// Books is a ledger and a recorder in one, so that tests see in which order they
// are used. The zero value has no budget: Reserve returns nothing.
type Books struct {
	mu sync.Mutex

	hasLimit  bool
	limit     domain.Money
	spent     domain.Money
	held      map[string]domain.Money
	reserved  int
	log       []string
	faults    []string
	records   []inference.Recorded
	payloads  []inference.PayloadRecorded
	recordErr error
	settleErr error
	changed   chan struct{}
}

// Limit makes a hard budget apply to every call.
func (b *Books) Limit(m domain.Money) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hasLimit, b.limit = true, m
}

// FailRecords makes every Record fail with err; nil heals.
func (b *Books) FailRecords(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recordErr = err
}

// FailSettles makes every Settle and Release fail with err, after doing its work.
func (b *Books) FailSettles(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settleErr = err
}

// Reserve implements gateway.Budgets.
func (b *Books) Reserve(_ context.Context, _ gateway.Call, _ string, maxCost domain.Money, maxTokens int64) ([]inference.Reservation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.hasLimit {
		return nil, nil
	}
	total := b.spent + maxCost
	for _, held := range b.held {
		total += held
	}
	if total > b.limit {
		b.note("refuse")
		return nil, domain.Errorf(domain.CodeQuotaExceeded, "the budget is used up")
	}
	if maxTokens <= 0 {
		b.faults = append(b.faults, fmt.Sprintf("reserved %d tokens", maxTokens))
	}
	b.reserved++
	id := fmt.Sprintf("rsv_%d", b.reserved)
	if b.held == nil {
		b.held = map[string]domain.Money{}
	}
	b.held[id] = maxCost
	b.note("reserve")
	return []inference.Reservation{{BudgetID: "bud_1", ID: id}}, nil
}

// Settle implements gateway.Budgets.
func (b *Books) Settle(_ context.Context, reservations []inference.Reservation, cost domain.Money, _ int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range reservations {
		if held := b.take(r); cost > held {
			b.faults = append(b.faults, fmt.Sprintf("%s settled at %d, over the %d reserved", r.ID, cost, held))
		}
		b.spent += cost
	}
	b.note("settle")
	return b.settleErr
}

// Release implements gateway.Budgets.
func (b *Books) Release(_ context.Context, reservations []inference.Reservation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range reservations {
		b.take(r)
	}
	b.note("release")
	return b.settleErr
}

func (b *Books) take(r inference.Reservation) domain.Money {
	held, ok := b.held[r.ID]
	if !ok {
		b.faults = append(b.faults, r.ID+" is ended twice, or was never made")
	}
	delete(b.held, r.ID)
	return held
}

// Record implements gateway.Recorder.
func (b *Books) Record(_ context.Context, call inference.Recorded, payload *inference.PayloadRecorded) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.recordErr != nil {
		b.note("record failed")
		return b.recordErr
	}
	b.records = append(b.records, call)
	if payload != nil {
		b.payloads = append(b.payloads, *payload)
	}
	b.note("record")
	return nil
}

// note writes to the log and wakes whoever waits; b.mu is held.
func (b *Books) note(what string) {
	b.log = append(b.log, what)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Log returns what was done, in order: reserve, refuse, record, record failed,
// settle, release.
func (b *Books) Log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// Records returns the calls recorded.
func (b *Books) Records() []inference.Recorded {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.records)
}

// Payloads returns what was kept of what was said.
func (b *Books) Payloads() []inference.PayloadRecorded {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.payloads)
}

// Spent returns what was settled.
func (b *Books) Spent() domain.Money {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent
}

// Check returns what broke the ledger's rules: reservations ended twice, or never
// (held is how many may still be open), or settled over what was reserved.
func (b *Books) Check() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 {
		return fmt.Errorf("ledger: %v", b.faults)
	}
	if len(b.held) > 0 {
		return fmt.Errorf("ledger: %d reservations were never ended", len(b.held))
	}
	if b.hasLimit && b.spent > b.limit {
		return fmt.Errorf("ledger: spent %d of %d", b.spent, b.limit)
	}
	return nil
}

// WaitFor returns when n entries of the log say what; or with the context's error.
func (b *Books) WaitFor(ctx context.Context, what string, n int) error {
	for {
		b.mu.Lock()
		count := 0
		for _, entry := range b.log {
			if entry == what {
				count++
			}
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", what, ctx.Err())
		}
	}
}
