package cluster_test

import (
	"testing"

	"strata/domain"
	"strata/domain/cluster"
	"strata/domain/domaintest"
)

var registered = cluster.Registered{ID: domaintest.ID("clu", 1), Name: "GPU", ManagerURL: "https://manager.example.com", IngressURL: "https://models.example.com",
	Token: "sealed:v1:t", WebhookSecret: "sealed:v1:s"}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, cluster.FactTypes(), registered, cluster.ManagerMoved{ManagerURL: "https://m2.example.com"}, cluster.IngressMoved{IngressURL: "https://i2.example.com"},
		cluster.TokenReplaced{Token: "sealed:v1:t2"}, cluster.WebhookSecretRotated{WebhookSecret: "sealed:v1:s2"}, cluster.Removed{ID: registered.ID})
}

func TestRegister(t *testing.T) {
	cmd := cluster.Register{Name: "GPU", ManagerURL: registered.ManagerURL, IngressURL: registered.IngressURL, Token: registered.Token, WebhookSecret: registered.WebhookSecret}
	domaintest.Given(t, cluster.Aggregate).When(cmd).Then(registered)
	domaintest.Given(t, cluster.Aggregate, registered).When(cmd).ThenError(domain.CodeConflict)
	domaintest.Given(t, cluster.Aggregate, registered, cluster.Removed{ID: registered.ID}).When(cmd).Then(registered)
}

func TestRegisterNamesEveryFault(t *testing.T) {
	for _, u := range []string{"", "x", "ftp://x", "https://user:pw@x", "https://x?token=1", "https://x#y"} {
		domaintest.Given(t, cluster.Aggregate).When(cluster.Register{ManagerURL: u, IngressURL: u}).ThenError(domain.CodeValidation, "manager_url", "ingress_url")
		domaintest.Given(t, cluster.Aggregate, registered).When(cluster.Update{ManagerURL: &u, IngressURL: &u}).ThenError(domain.CodeValidation, "manager_url", "ingress_url")
	}
}

func TestUpdate(t *testing.T) {
	given := domaintest.Given(t, cluster.Aggregate, registered)
	given.When(cluster.Update{}).ThenNothing()
	given.When(cluster.Update{ManagerURL: new(registered.ManagerURL), IngressURL: new(registered.IngressURL), Token: new(registered.Token)}).ThenNothing()
	s := given.When(cluster.Update{ManagerURL: new("https://m2.example.com"), IngressURL: new("https://i2.example.com"), Token: new("")}).
		Then(cluster.ManagerMoved{ManagerURL: "https://m2.example.com"}, cluster.IngressMoved{IngressURL: "https://i2.example.com"}, cluster.TokenReplaced{}).State()
	if s.Token != "" || s.ManagerURL != "https://m2.example.com" || s.ID != registered.ID || s.WebhookSecret != registered.WebhookSecret {
		t.Errorf("%+v", s)
	}
}

func TestWithoutCluster(t *testing.T) {
	for _, cmd := range []domain.Decider[cluster.State]{cluster.Update{}, cluster.RotateWebhookSecret{}, cluster.Remove{}} {
		domaintest.Given(t, cluster.Aggregate).When(cmd).ThenError(domain.CodeNotFound)
		domaintest.Given(t, cluster.Aggregate, registered, cluster.Removed{}).When(cmd).ThenError(domain.CodeNotFound)
	}
}

func TestRemove(t *testing.T) {
	s := domaintest.Given(t, cluster.Aggregate, registered).When(cluster.Remove{}).Then(cluster.Removed{ID: registered.ID}).State()
	if s.ID != "" || s.Token != "" || s.WebhookSecret != "" {
		t.Errorf("a cluster that is gone leaves nothing to sign with: %+v", s)
	}
}

func TestRotate(t *testing.T) {
	domaintest.Given(t, cluster.Aggregate, registered).When(cluster.RotateWebhookSecret{WebhookSecret: "sealed:v1:s2"}).
		Then(cluster.WebhookSecretRotated{WebhookSecret: "sealed:v1:s2"})
}
