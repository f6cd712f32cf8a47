//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/internal/labtest"
)

// deploy makes a Deployment and waits until its pods are ready.
func deploy(t *testing.T, lab *labtest.Lab, namespace, name, image string, replicas int32) {
	t.Helper()
	ctx := t.Context()
	must(t, lab.Namespace(ctx, namespace))
	labels := map[string]string{"app": name}
	_, err := lab.Kube().AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main", Image: image,
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}},
				}}},
			},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	must(t, labtest.WaitFor(ctx, "waiting for "+name, time.Minute, 200*time.Millisecond, func(ctx context.Context) (bool, error) {
		d, err := lab.Kube().AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && d.Status.ReadyReplicas == replicas, err
	}))
}

// TestAutoscaler has the real controller say why an autoscaler does nothing: there is no API of metrics.
func TestAutoscaler(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	const namespace = "scaled"
	deploy(t, lab, namespace, "web", "registry.example/web:1", 2)
	half := int32(50)
	two := int32(2)
	_, err := lab.Kube().AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    &two, MaxReplicas: 5,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &half},
			}}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	must(t, labtest.WaitFor(t.Context(), "waiting for the controller's word", time.Minute, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		h, err := lab.Kube().AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, c := range h.Status.Conditions {
			if c.Type == autoscalingv2.ScalingActive {
				return c.Status == corev1.ConditionFalse, nil
			}
		}
		return false, nil
	}))
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), checks(`
- {id: hpa, title: t, probe: kubernetes.hpa, with: {namespace: scaled, name: web}, weight: 1}
- {id: none, title: t, probe: kubernetes.hpa, with: {namespace: scaled, name: nothing}, weight: 1}
- {id: workload, title: t, probe: kubernetes.workloads, weight: 1, with: {workloads: [{kind: Deployment, namespace: scaled, name: web, image: registry.example/web}]}}
- {id: inventory, title: t, probe: kubernetes.inventory, weight: 1, with: {services: [
    {name: Web, workloads: [{kind: Deployment, namespace: scaled, name: web, image: registry.example/web}]},
    {name: Gone, workloads: [{kind: Deployment, namespace: scaled, name: gone, image: registry.example/gone}]}]}}
`))
	d, code := s.check(t)
	d.want(t, "hpa", "fail", "FailedGetResourceMetric", "pods.metrics.k8s.io")
	d.want(t, "none", "fail", "does not exist")
	d.want(t, "workload", "pass")
	d.want(t, "inventory", "fail", "gone")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}
