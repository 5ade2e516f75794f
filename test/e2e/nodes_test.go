//go:build e2e

package e2e

import (
	"net/http"
	"testing"
)

func TestNodes(t *testing.T) {
	c := shared.Client()
	for _, n := range c.Get(t, "/api/v1/admin/nodes").List("data") { // none where one process has the log to itself
		if node, ok := n.(map[string]any); !ok || node["name"] == "" || node["role"] == "" || node["joinedAt"] == nil {
			t.Errorf("node %v", n)
		}
	}
	c.Do(t, http.StatusNotFound, http.MethodDelete, "/api/v1/admin/nodes/none", nil)
	tenant := newTenant(t, shared)
	tenant.Do(t, http.StatusForbidden, http.MethodGet, "/api/v1/admin/nodes", nil)
}
