package sim

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/254carbon/gonogo/internal/sim/store"
)

// The servers refuse gonogo's own reading credential in the way each of them does.

func refuseKubernetes(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") != "Bearer "+kubernetesToken {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": "Unauthorized",
		"reason": "Unauthorized", "code": http.StatusUnauthorized,
	})
	return true
}

func refusePrometheus(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("WWW-Authenticate", "Basic")
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
	return true
}

// refuseHarbor takes the reader's credential off the request: to Harbor, a wrong credential is none.
func (s *Sim) refuseHarbor(_ http.ResponseWriter, r *http.Request) bool {
	if user, _, ok := r.BasicAuth(); ok && user == s.accounts.Reader.Username {
		r.Header.Del("Authorization")
	}
	return false
}

func (s *Sim) refuseCloudflare(w http.ResponseWriter, r *http.Request) bool {
	if strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") != s.tokens.Reader {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`))
	return true
}

func refuseMinIO(w http.ResponseWriter, _ *http.Request) bool {
	store.Refuse(w, "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
	return true
}
