//go:build e2e

package e2e

import (
	"testing"

	"github.com/254carbon/gonogo/internal/kubetest"
	"github.com/254carbon/gonogo/internal/labtest"
)

// TestClientContract puts the real API server through what the simulated one is put through.
func TestClientContract(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	kubetest.RunClientContract(t, lab.AdminConfig(), kubetest.Options{
		CustomResource: &kubetest.CustomResource{
			GVR: labtest.VeleroResource("schedules"), Kind: "Schedule",
			Spec: map[string]any{"schedule": daily, "template": map[string]any{}},
		},
		NamespaceController: true,
	})
}
