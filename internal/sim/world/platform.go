package world

import (
	"strings"
)

// monitoring is what the Prometheus Operator works on.
func (p *plan) monitoring() []object {
	const ns, group = "monitoring", "monitoring.coreos.com/v1"
	all := []object{
		create(group, "Prometheus", ns, "kube-prometheus-stack-prometheus", map[string]string{"app": "kube-prometheus-stack-prometheus"}, object{"spec": object{
			"replicas": 1, "version": "v2.48.0", "image": p.image("prom/prometheus:v2.48.0"), "retention": "30d",
			"serviceMonitorSelector": object{}, "serviceMonitorNamespaceSelector": object{}, "podMonitorSelector": object{}, "podMonitorNamespaceSelector": object{},
			"alerting": object{"alertmanagers": []any{object{"namespace": ns, "name": "kube-prometheus-stack-alertmanager", "port": "http-web"}}},
		}}),
		create(group, "Alertmanager", ns, "kube-prometheus-stack-alertmanager", map[string]string{"app": "kube-prometheus-stack-alertmanager"}, object{"spec": object{
			"replicas": 2, "version": "v0.26.0", "image": p.image("prom/alertmanager:v0.26.0"),
		}}),
	}
	for _, m := range platformMonitors() {
		endpoints := []any{object{"port": m.port, "interval": "30s", "path": "/metrics"}}
		spec := object{"jobLabel": "app", "selector": object{"matchLabels": object{"app": m.label}}, "namespaceSelector": object{"matchNames": []any{m.namespace}}}
		if m.kind == "PodMonitor" {
			spec["podMetricsEndpoints"] = endpoints
		} else {
			spec["endpoints"] = endpoints
		}
		all = append(all, create(group, m.kind, m.namespace, m.name, nil, object{"spec": spec}))
	}
	return all
}

// guards are disruption budgets and quotas.
func (p *plan) guards() []object {
	var all []object
	for _, a := range apps() {
		if a.critical {
			all = append(all, create("policy/v1", "PodDisruptionBudget", a.namespace, a.name+"-pdb", nil, object{"spec": object{
				"minAvailable": 1, "selector": object{"matchLabels": object{"app": a.name}},
			}}))
		}
	}
	for _, q := range []struct{ namespace, cpu, memory, pods string }{
		{"data-platform", "80", "256Gi", "400"}, {"monitoring", "8", "16Gi", "50"}, {"vault-prod", "4", "8Gi", "20"},
	} {
		all = append(all, create("v1", "ResourceQuota", q.namespace, q.namespace+"-quota", nil, object{"spec": object{"hard": object{
			"requests.cpu": q.cpu, "requests.memory": q.memory, "pods": q.pods,
		}}}))
	}
	return all
}

func (p *plan) autoscalers() []object {
	var all []object
	for _, h := range []struct {
		name, target         string
		lowest, highest, cpu int
		memory               int
	}{{"trino-hpa", "trino-worker", 2, 5, 70, 80}, {"superset-hpa", "superset-web", 2, 4, 75, 0}} {
		metric := func(name string, target int) object {
			return object{"type": "Resource", "resource": object{"name": name, "target": object{"type": "Utilization", "averageUtilization": target}}}
		}
		metrics := []any{metric("cpu", h.cpu)}
		if h.memory > 0 {
			metrics = append(metrics, metric("memory", h.memory))
		}
		all = append(all, create("autoscaling/v2", "HorizontalPodAutoscaler", "data-platform", h.name, nil, object{"spec": object{
			"scaleTargetRef": object{"apiVersion": "apps/v1", "kind": deployment, "name": h.target},
			"minReplicas":    h.lowest, "maxReplicas": h.highest, "metrics": metrics,
		}}))
	}
	return all
}

// rights are roles and bindings: those of every cluster, and those that the platform's parts came with.
func (p *plan) rights() []object {
	const group = "rbac.authorization.k8s.io/v1"
	rule := func(groups, resources, verbs string) object {
		split := func(words string) []any {
			var all []any
			for _, w := range strings.Fields(words) {
				all = append(all, strings.TrimPrefix(w, "core"))
			}
			return all
		}
		return object{"apiGroups": split(groups), "resources": split(resources), "verbs": split(verbs)}
	}
	role := func(name string, rules ...any) object {
		return create(group, "ClusterRole", "", name, nil, object{"rules": rules})
	}
	bind := func(name, role string, subjects ...any) object {
		return create(group, "ClusterRoleBinding", "", name, nil, object{
			"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": subjects,
		})
	}
	account := func(namespace, name string) object {
		return object{"kind": "ServiceAccount", "namespace": namespace, "name": name}
	}
	return []object{
		role("cluster-admin", rule("*", "*", "*"), object{"nonResourceURLs": []any{"*"}, "verbs": []any{"*"}}),
		role("view", rule("core apps batch", "pods services configmaps deployments statefulsets daemonsets jobs", "get list watch")),
		role("edit", rule("core apps batch", "pods services configmaps deployments statefulsets daemonsets jobs", "get list watch create update patch delete")),
		role("kube-prometheus-stack-operator", rule("monitoring.coreos.com", "prometheuses alertmanagers servicemonitors podmonitors prometheusrules", "get list watch update"),
			rule("apps", "statefulsets", "get list watch create update patch delete")),
		role("kube-prometheus-stack-prometheus", rule("core discovery.k8s.io", "nodes services endpoints pods endpointslices", "get list watch")),
		role("ingress-nginx", rule("core networking.k8s.io", "services endpoints ingresses ingressclasses", "get list watch")),
		role("promtail", rule("core", "nodes pods namespaces", "get list watch")),
		bind("cluster-admin", "cluster-admin", object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters"}),
		bind("kube-prometheus-stack-operator", "kube-prometheus-stack-operator", account("monitoring", "kube-prometheus-stack-operator")),
		bind("kube-prometheus-stack-prometheus", "kube-prometheus-stack-prometheus", account("monitoring", "kube-prometheus-stack-prometheus")),
		bind("ingress-nginx", "ingress-nginx", account("ingress-nginx", "ingress-nginx")),
		bind("promtail", "promtail", account("monitoring", "promtail")),
		bind("velero-server", "cluster-admin", account("velero", "velero")),
	}
}

// policies are those of the network and of admission.
func (p *plan) policies() []object {
	const group = "networking.k8s.io/v1"
	fromNamespace := func(name string) object {
		return object{"from": []any{object{"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": name}}}}}
	}
	var all []object
	for _, ns := range WorkloadNamespaces() {
		all = append(all,
			create(group, "NetworkPolicy", ns, "default-deny", nil, object{"spec": object{"podSelector": object{}, "policyTypes": []any{"Ingress", "Egress"}}}),
			create(group, "NetworkPolicy", ns, "allow-within", nil, object{"spec": object{
				"podSelector": object{}, "policyTypes": []any{"Ingress", "Egress"},
				"ingress": []any{object{"from": []any{object{"podSelector": object{}}}}}, "egress": []any{object{"to": []any{object{"podSelector": object{}}}}},
			}}),
			create(group, "NetworkPolicy", ns, "allow-doors", nil, object{"spec": object{
				"podSelector": object{}, "policyTypes": []any{"Ingress"}, "ingress": []any{fromNamespace("ingress-nginx"), fromNamespace("monitoring")},
			}}),
			create(group, "NetworkPolicy", ns, "allow-dns", nil, object{"spec": object{
				"podSelector": object{}, "policyTypes": []any{"Egress"},
				"egress": []any{object{
					"to":    []any{object{"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": "kube-system"}}, "podSelector": object{"matchLabels": object{"k8s-app": "kube-dns"}}}},
					"ports": []any{object{"protocol": "UDP", "port": 53}, object{"protocol": "TCP", "port": 53}},
				}},
			}}),
		)
	}
	for _, k := range []struct{ name, action string }{
		{"disallow-latest-tag", "Enforce"}, {"require-requests-limits", "Audit"}, {"require-non-root", "Audit"}, {"drop-net-raw", "Audit"},
	} {
		all = append(all, create("kyverno.io/v1", "ClusterPolicy", "", k.name, nil, object{
			"spec":   object{"validationFailureAction": k.action, "background": true, "rules": []any{object{"name": k.name, "match": object{"any": []any{object{"resources": object{"kinds": []any{"Pod"}}}}}}}},
			"status": object{"ready": true, "conditions": []any{condition("Ready", "True", "Succeeded", "Ready", p.built)}},
		}))
	}
	return all
}

func (p *plan) metricsAPI() []object {
	return []object{create("apiregistration.k8s.io/v1", "APIService", "", "v1beta1.metrics.k8s.io", nil, object{"spec": object{
		"group": "metrics.k8s.io", "version": "v1beta1", "service": object{"namespace": "kube-system", "name": "metrics-server", "port": 443},
		"groupPriorityMinimum": 100, "versionPriority": 100,
	}})}
}

// certificates are the issuers and what they issued.
func (p *plan) certificates() []object {
	const group = "cert-manager.io/v1"
	ready := func(reason string) object {
		return object{"conditions": []any{condition("Ready", "True", reason, "", p.built)}}
	}
	acme := ready("ACMEAccountRegistered")
	acme["acme"] = object{"uri": "https://acme-v02.api.letsencrypt.org/acme/acct/1"}
	all := []object{
		create(group, "ClusterIssuer", "", "letsencrypt-prod", nil, object{"status": acme, "spec": object{"acme": object{
			"server": "https://acme-v02.api.letsencrypt.org/directory", "privateKeySecretRef": object{"name": "letsencrypt-prod"},
			"solvers": []any{object{"http01": object{"ingress": object{"class": "nginx"}}}},
		}}}),
	}
	for _, r := range routes() {
		base := strings.TrimSuffix(r.name, "-ingress")
		status := ready("Ready")
		status["notAfter"], status["renewalTime"] = stamp(p.now.AddDate(0, 0, 62)), stamp(p.now.AddDate(0, 0, 32))
		all = append(all, create(group, "Certificate", r.namespace, base+"-tls", nil, object{"status": status, "spec": object{
			"secretName": base + "-tls", "dnsNames": []any{r.host}, "issuerRef": object{"kind": "ClusterIssuer", "name": "letsencrypt-prod"},
		}}))
	}
	return all
}
