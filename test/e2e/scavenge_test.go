//go:build e2e

package e2e

import (
	"net/http"
	"testing"
	"time"

	"strata/test/kit"
)

// An operator looks at the log and scavenges it.
func TestScavenge(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	admin := s.Client()
	admin.Get(t, "/api/v1/admin/log").Want("data.writable", true, "data.scavenge.state", "never")
	admin.Do(t, http.StatusAccepted, http.MethodPost, "/api/v1/admin/log/scavenge", object{"bytesPerSecond": 100_000_000})
	kit.Eventually(t, 10*time.Second, "scavenges the log", func() error {
		return kit.Differ("state", admin.Get(t, "/api/v1/admin/log").Str("data.scavenge.state"), "done")
	})
	admin.Do(t, http.StatusOK, http.MethodDelete, "/api/v1/admin/log/scavenge", nil)
	newTenant(t, s).Do(t, http.StatusForbidden, http.MethodGet, "/api/v1/admin/log", nil)
}
