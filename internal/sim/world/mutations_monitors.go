package world

// monitorMutations are the ways in which a monitor exists and binds nothing.
func monitorMutations() []Mutation {
	const dp, check = "data-platform", "monitors-bind"
	labelled := func(namespace, name, label string) func(*changer) {
		return func(c *changer) { c.edit(services, namespace, name, setField(label, "metadata", "labels", "app")) }
	}
	ports := func(namespace, name string, rename func(port object)) func(*changer) {
		return func(c *changer) {
			c.edit(services, namespace, name, func(s object) {
				for _, item := range list(s, "spec", "ports") {
					if port, ok := item.(object); ok && port["name"] == "metrics" {
						rename(port)
					}
				}
			})
		}
	}
	picks := func(field string, value any) func(*changer) {
		return func(c *changer) {
			c.edit(prometheuses, "monitoring", "kube-prometheus-stack-prometheus", setField(value, "spec", field))
		}
	}
	return []Mutation{
		bad("monitor-gone", "the monitor of Trino was deleted", func(c *changer) { c.remove(serviceMonitors, dp, "trino") },
			fails(check, "1 of 16 monitors", "trino: does not exist")),
		bad("monitor-no-service", "the Service of Trino has another label than its monitor selects", labelled(dp, "trino", "trino-coordinator"),
			fails(check, "trino: no Service with app=trino in data-platform")),
		bad("monitor-no-port", "the metrics port of Kafka's Service has another name", ports(dp, "kafka-service", func(p object) { p["name"] = "jmx" }),
			fails(check, "kafka: Service kafka-service has no port metrics, only broker, jmx")),
		bad("monitor-no-name", "the only port of MinIO's metrics Service lost its name", ports(dp, "minio-metrics", func(p object) { delete(p, "name") }),
			fails(check, "minio: Service", "no port metrics")),
		bad("monitor-service-gone", "the metrics Service of PostgreSQL was deleted", func(c *changer) { c.remove(services, dp, "postgres-metrics") },
			fails(check, "postgres: no Service with app=postgres")),
		bad("monitor-other-namespace", "the monitor of Vault looks into the namespace that Vault was in before", func(c *changer) {
			c.edit(serviceMonitors, "vault-prod", "vault", setField([]any{"vault"}, "spec", "namespaceSelector", "matchNames"))
		}, fails(check, "vault: no Service with app=vault in vault")),
		bad("monitor-no-endpoints", "the monitor of Doris names no port", func(c *changer) {
			c.edit(serviceMonitors, dp, "doris", setField([]any{}, "spec", "endpoints"))
		}, fails(check, "doris: names no endpoint")),
		bad("monitor-pod-label", "the monitor of Promtail selects a label that its pods do not have", func(c *changer) {
			c.edit(podMonitors, "monitoring", "promtail", setField(object{"app.kubernetes.io/name": "promtail"}, "spec", "selector", "matchLabels"))
		}, fails(check, "promtail: no running Pod with app.kubernetes.io/name=promtail")),
		bad("monitor-pod-port", "the monitor of Promtail names a port that its pods do not have", func(c *changer) {
			c.edit(podMonitors, "monitoring", "promtail", setField([]any{object{"port": "metrics"}}, "spec", "podMetricsEndpoints"))
		}, fails(check, "promtail: 3 Pods selected, but none has the port metrics")),
		bad("monitor-convention", "Prometheus picks up only what carries the label of a release, which no monitor does",
			picks("serviceMonitorSelector", object{"matchLabels": object{"release": "kube-prometheus-stack"}}),
			fails(check, "14 of 16 monitors", "wants the label release=kube-prometheus-stack")),
		bad("monitor-own-namespace", "Prometheus looks for monitors only in its own namespace", picks("podMonitorNamespaceSelector", nil),
			fails(check, "ingress-nginx-controller: no Prometheus picks it up", "own namespace monitoring")),
		bad("loki-stopped", "Loki is scaled to zero", func(c *changer) { c.edit(statefulSets, "monitoring", "loki", replicate(0)) },
			fails("loki-ingesting", "Loki", "no ready endpoints")),
		bad("grafana-crashing", "Grafana does not start", func(c *changer) { c.pods("monitoring", "grafana", 0, c.broken("CrashLoopBackOff", 7)) },
			fails("grafana-dashboards", "Grafana", "no ready endpoints")),
		bad("alertmanager-service-gone", "Alertmanager's Service was deleted", func(c *changer) {
			c.remove(services, "monitoring", "kube-prometheus-stack-alertmanager")
		}, fails("alert-routing", "Alertmanager", "does not exist")),
		bad("alertmanager-port-renumbered", "Alertmanager's Service has another port than is asked", func(c *changer) {
			c.edit(services, "monitoring", "kube-prometheus-stack-alertmanager", setField([]any{object{"name": "http-web", "port": 80, "targetPort": "http-web"}}, "spec", "ports"))
		}, fails("alert-routing", "Alertmanager", "no such port")),
		harmless("monitor-added", "somebody has a monitor of their own that selects nothing", func(c *changer) {
			c.add(create("monitoring.coreos.com/v1", "ServiceMonitor", dp, "neo4j", nil, object{"spec": object{
				"selector": object{"matchLabels": object{"app": "neo4j"}}, "endpoints": []any{object{"port": "metrics"}},
			}}))
		}),
		harmless("monitor-second-endpoint", "the monitor of Trino names a second port, which is not there yet", func(c *changer) {
			c.edit(serviceMonitors, dp, "trino", setField([]any{object{"port": "metrics"}, object{"port": "jmx"}}, "spec", "endpoints"))
		}),
		harmless("monitor-any-namespace", "the monitor of Vault looks into every namespace", func(c *changer) {
			c.edit(serviceMonitors, "vault-prod", "vault", setField(object{"any": true}, "spec", "namespaceSelector"))
		}),
		harmless("monitor-labelled", "a monitor carries one more label", func(c *changer) {
			c.edit(serviceMonitors, dp, "kafka", setField("kube-prometheus-stack", "metadata", "labels", "release"))
		}),
	}
}
