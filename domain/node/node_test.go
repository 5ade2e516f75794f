package node_test

import (
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/node"
)

var joined = node.Joined{Role: "write", Places: []string{"states@a"}}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, node.Aggregate.Facts, joined, node.Left{})
}

func TestJoinAndLeave(t *testing.T) {
	other := node.Joined{Role: "read", Places: []string{"read models@a"}}
	domaintest.Given(t, node.Aggregate).When(node.Join(joined)).Then(joined)
	domaintest.Given(t, node.Aggregate, joined).When(node.Join(joined)).ThenNothing()
	domaintest.Given(t, node.Aggregate, joined).When(node.Join(other)).Then(other)
	domaintest.Given(t, node.Aggregate, joined).When(node.Leave{}).Then(node.Left{})
	domaintest.Given(t, node.Aggregate, joined, node.Left{}).When(node.Join(joined)).Then(joined)
	domaintest.Given(t, node.Aggregate, joined, node.Left{}).When(node.Leave{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, node.Aggregate).When(node.Leave{}).ThenError(domain.CodeNotFound)
}
