package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/argument"
	"strata/domain/budget"
	"strata/domain/catalogue"
	"strata/domain/claim"
	spacecluster "strata/domain/cluster"
	"strata/domain/connector"
	"strata/domain/conversation"
	"strata/domain/evaluation"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/domain/insight"
	"strata/domain/knowledge"
	"strata/domain/mcpcall"
	"strata/domain/memory"
	"strata/domain/memorycall"
	"strata/domain/node"
	"strata/domain/personaupload"
	"strata/domain/privacy"
	"strata/domain/projection"
	"strata/domain/secret"
	"strata/domain/session"
	"strata/domain/timer"
	"strata/domain/training"
	"strata/domain/workflowrun"
	"strata/gateway"
	"strata/internal/authn"
	"strata/projections"
	"strata/projections/agentruns"
	"strata/projections/budgets"
	"strata/projections/connectors"
	"strata/projections/conversations"
	"strata/projections/erasures"
	"strata/projections/events"
	identitymodel "strata/projections/identity"
	knowledgemodel "strata/projections/knowledge"
	"strata/projections/memories"
	"strata/projections/personas"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/projections/secrets"
	"strata/projections/sessions"
	"strata/projections/states"
	"strata/projections/timers"
	"strata/projections/trainings"
	"strata/projections/workflows"
	"strata/readapi"
	"strata/streams"
)

// allFacts are the facts there are.
func allFacts() []domain.FactType {
	return slices.Concat(agentrun.FactTypes(), argument.FactTypes(), insight.FactTypes(), catalogue.FactTypes(), claim.Aggregate.Facts, projection.Aggregate.Facts, budget.FactTypes(), spacecluster.FactTypes(), connector.FactTypes(), conversation.FactTypes(),
		inference.FactTypes(), knowledge.Bases.Facts, knowledge.Documents.Facts, mcpcall.FactTypes(), memory.FactTypes(), memory.Vectors.Facts, memorycall.FactTypes(), privacy.FactTypes(), session.FactTypes(), identity.Organizations.Facts, identity.Workspaces.Facts,
		identity.Users.Facts, identity.APIKeys.Facts, identity.Invitations.Facts, timer.Aggregate.Facts, node.Aggregate.Facts, workflowrun.FactTypes(),
		personaupload.FactTypes(), evaluation.FactTypes(), training.FactTypes(), training.Models.Facts, secret.FactTypes())
}

// newCodec knows every fact, and reads and writes personal data with keys.
func newCodec(keys streams.Keys) (*streams.Codec, error) {
	return streams.NewCodec(allFacts(), nil, keys)
}

// allModels are the read models in SQLite.
func allModels() []projections.Model {
	return []projections.Model{
		states.Model[argument.State]{Spec: states.Arguments()}, states.Model[insight.State]{Spec: states.Insights()},
		agentruns.Model{}, identitymodel.Model{}, budgets.Model{}, resources.New(catalogue.Specs()), sessions.Model{}, knowledgemodel.Model{}, memories.Model{}, personas.Model{}, timers.Model{},
		connectors.Model{}, conversations.Model{}, erasures.Model{}, events.New(allFacts()), workflows.Model{},
		trainings.Model{}, secrets.Model{},
	}
}

func modelNamed(name string) (projections.Model, error) {
	var names []string
	for _, m := range allModels() {
		if m.Name() == name {
			return m, nil
		}
		names = append(names, m.Name())
	}
	return nil, fmt.Errorf("there is no read model %q; there are %v", name, names)
}

// models are the read models with their queries.
type models struct {
	runner        *projections.Runner
	agentRuns     *agentruns.Queries
	arguments     *states.Queries[argument.State]
	insights      *states.Queries[insight.State]
	resources     *resources.Queries
	secrets       *secrets.Queries
	sessions      *sessions.Queries
	knowledge     *knowledgemodel.Queries
	memories      *memories.Queries
	connectors    scanQueue
	personas      *personas.Queries
	trainings     trainingQueue
	conversations *conversations.Queries
	identity      *identitymodel.Queries
	budgets       *budgets.Queries
	timers        timerQueue
	workflows     *workflows.Queries
	events        *events.Reader
	erasures      *erasures.Queries
	auth          *authn.Authenticator
	answers       *readapi.Answers
}

// keptAnswers is how many bytes of answers are kept in memory.
const keptAnswers = 16 << 20

// linger is how long a read model under load gathers events before it writes
// them. It is much less than a person notices, and no reader who asks for a
// position waits for it.
const linger = 5 * time.Millisecond

func openModels(ctx context.Context, r role, dir string, store streams.Store, codec *streams.Codec, log *slog.Logger, now func() time.Time) (*models, error) {
	runner, err := projections.Open(ctx, projections.Config{Dir: dir, Store: store, Codec: codec, Logger: log, Linger: linger}, r.models()...)
	if err != nil {
		return nil, err
	}
	reader := func(name string) projections.Reader { return readerOf(runner, name) }
	m := &models{
		runner:        runner,
		agentRuns:     agentruns.NewQueries(reader(agentruns.Name)),
		arguments:     states.NewQueries(states.Arguments(), reader(states.Arguments().Name)),
		insights:      states.NewQueries(states.Insights(), reader(states.Insights().Name)),
		resources:     resources.NewQueries(reader(resources.Name), catalogue.Specs()),
		secrets:       secrets.NewQueries(reader(secrets.Name), now),
		sessions:      sessions.NewQueries(reader(sessions.Name)),
		knowledge:     knowledgemodel.NewQueries(reader(knowledgemodel.Name)),
		memories:      memories.NewQueries(reader(memories.Name), now),
		connectors:    newScanQueue(reader(connectors.Name), runner),
		personas:      personas.NewQueries(reader(personas.Name)),
		trainings:     newTrainingQueue(reader(trainings.Name)),
		conversations: conversations.NewQueries(reader(conversations.Name)),
		identity:      identitymodel.NewQueries(reader(identitymodel.Name), now),
		budgets:       budgets.NewQueries(reader(budgets.Name), now),
		timers:        newTimerQueue(reader(timers.Name), runner),
		workflows:     workflows.NewQueries(reader(workflows.Name)),
		erasures:      erasures.NewQueries(reader(erasures.Name)),
		events:        events.NewReader(reader(events.Name), store, codec, secretField),
		answers:       readapi.NewAnswers(keptAnswers),
	}
	m.auth = authn.New(authn.Config{Keys: m.identity, Now: now, CatchUp: func(ctx context.Context) error {
		head, err := store.Head(ctx)
		if err != nil {
			return err
		}
		_, err = runner.Wait(ctx, identitymodel.Name, head)
		return err
	}})
	m.follow(runner)
	return m, nil
}

// follow tells what keeps something of a read model in memory of its changes.
func (m *models) follow(runner *projections.Runner) {
	runner.OnReplace(func(model string) {
		m.answers.Flush()
		switch model {
		case resources.Name:
			m.resources.Replaced()
		case budgets.Name:
			m.budgets.Replaced()
		case connectors.Name:
			m.connectors.change()
		case trainings.Name:
			m.trainings.change()
		case identitymodel.Name:
			m.auth.Forget()
		case timers.Name:
			m.timers.change()
		}
	})
	runner.OnCommit(func(model string, events []domain.Event) {
		m.answers.Committed(model, events)
		switch model {
		case resources.Name:
			m.resources.Committed(model, events)
		case budgets.Name:
			m.budgets.Committed(events)
		case connectors.Name:
			m.connectors.change()
		case trainings.Name:
			m.trainings.change()
		case identitymodel.Name:
			m.auth.Forget()
		case timers.Name:
			m.timers.change()
		}
	})
}

// readerOf returns what the queries of one of allModels read from, whether the
// runner keeps it or not.
func readerOf(runner *projections.Runner, name string) projections.Reader {
	r, err := runner.Reader(name)
	if err != nil {
		return absent{name}
	}
	return r
}

// absent is in the place of a read model that a role does without.
type absent struct{ model string }

func (a absent) fault() error {
	return domain.Errorf(domain.CodeUnavailable, "this node does not keep the read model %s", a.model)
}

// Query implements projections.Reader.
func (a absent) Query(context.Context, string, ...any) (*sql.Rows, error) { return nil, a.fault() }

// QueryRow implements projections.Reader.
func (a absent) QueryRow(context.Context, string, ...any) query.Row { return a }

// Scan implements query.Row.
func (a absent) Scan(...any) error { return a.fault() }

// secretField tells which fields of events are never shown.
func secretField(category, field string) bool { return slices.Contains(secretFields(category), field) }

// newCommands makes the write side's heart.
func newCommands(cfg commands.Config, sealer commands.Sealer) (*commands.Handler, *commands.Resources) {
	h := commands.New(cfg)
	r := commands.NewResources(h, sealer, catalogue.All())
	r.Also(catalogue.Providers.Name, func(_ context.Context, _ domain.Principal, d domain.Doc) error {
		_, err := gateway.ParseProviderConfig(d["config"])
		return err
	})
	return h, r
}
