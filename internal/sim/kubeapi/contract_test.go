package kubeapi_test

import (
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/kubetest"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

// serve runs a server over TLS and HTTP/2, as a real one is reached, and returns a client config for a token.
func serve(t *testing.T, o kubeapi.Options) (*kubeapi.Server, func(token string) *rest.Config) {
	t.Helper()
	api := kubeapi.New(o)
	ts := httptest.NewUnstartedServer(api)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	t.Cleanup(func() { api.Close(); ts.CloseClientConnections(); ts.Close() })
	return api, func(token string) *rest.Config {
		return &rest.Config{Host: ts.URL, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1}
	}
}

func TestClientContract(t *testing.T) {
	store := kubeapi.NewStore(kubeapi.StoreOptions{})
	_, cfg := serve(t, kubeapi.Options{
		Store:         store,
		Authenticator: kubeapi.Tokens(map[string]kubeapi.User{"admin": {Name: "admin", Groups: []string{kubeapi.Masters}}}),
		Authorizer:    kubeapi.RBAC(store),
		Logf:          t.Errorf,
	})
	kubetest.RunClientContract(t, cfg("admin"), kubetest.Options{
		NamespaceController: true,
		CustomResource:      schedules(),
	})
}

func schedules() *kubetest.CustomResource {
	return &kubetest.CustomResource{
		GVR:  schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "schedules"},
		Kind: "Schedule",
		Spec: map[string]any{"schedule": "0 2 * * *", "template": map[string]any{}},
	}
}
