package view

import (
	"time"

	"strata/domain"
	"strata/domain/cluster"
)

// Cluster is a space's cluster as answers show it.
type Cluster struct {
	ID            string    `json:"id" example:"clu_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name          string    `json:"name" example:"GPU cluster"`
	ManagerURL    string    `json:"manager_url" example:"https://manager.example.com"`
	IngressURL    string    `json:"ingress_url" example:"https://models.example.com"`
	Token         string    `json:"token" doc:"Stars when the manager wants a token, else empty: what it is, is not shown." example:"********"`
	WebhookSecret string    `json:"webhook_secret,omitempty" doc:"What the manager signs its reports with (POST /v1/webhooks): told once, when it is made." example:"whsec_5f2b…"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// ClusterOf shows a cluster.
func ClusterOf(s *cluster.State) Cluster {
	out := Cluster{ID: s.ID, Name: s.Name, ManagerURL: s.ManagerURL, IngressURL: s.IngressURL, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
	if s.Token != "" {
		out.Token = "********"
	}
	return out
}

// ClusterState is a cluster with what its manager tells of it.
type ClusterState struct {
	Cluster
	Status    string       `json:"status" doc:"Whether the manager answered." enum:"reachable,unreachable" example:"reachable"`
	Error     string       `json:"error,omitempty" doc:"Why it did not."`
	CheckedAt time.Time    `json:"checked_at"`
	Inference domain.Doc   `json:"inference" doc:"As the manager tells it; empty when it did not answer."`
	Ingress   domain.Doc   `json:"ingress"`
	Nodes     []domain.Doc `json:"nodes"`
	Resources domain.Doc   `json:"resources"`
}

// DocOrEmpty shows an absent document as an empty one.
func DocOrEmpty(d domain.Doc) domain.Doc { return docOrEmpty(d) }
