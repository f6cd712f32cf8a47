package world

const lastWorker = "k8s-worker-2"

func nodeMutations() []Mutation {
	readyIs := func(status, reason, message string) func(*changer) {
		return func(c *changer) {
			c.edit(nodes, "", lastWorker, func(n object) { setCondition(n, condition("Ready", status, reason, message, c.now)) })
		}
	}
	hasTrouble := func(kind, reason string) func(*changer) {
		return func(c *changer) {
			c.edit(nodes, "", lastWorker, func(n object) { setCondition(n, condition(kind, "True", reason, "", c.now)) })
		}
	}
	const check = "worker-nodes"
	return []Mutation{
		bad("node-gone", "a worker has left the cluster", func(c *changer) { c.remove(nodes, "", lastWorker) },
			fails(check, "2 nodes ready", "1 worker")),
		bad("node-not-ready", "a worker's kubelet says that it is not ready", readyIs("False", "KubeletNotReady", "container runtime is down"),
			fails(check, lastWorker, "container runtime is down")),
		bad("node-silent", "a worker's kubelet has stopped reporting", readyIs("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
			fails(check, lastWorker, "silent")),
		bad("node-cordoned", "a worker takes no pods", func(c *changer) { c.edit(nodes, "", lastWorker, setField(true, "spec", "unschedulable")) },
			fails(check, lastWorker, "cordoned")),
		bad("node-no-worker", "a worker was made a control plane", func(c *changer) {
			c.edit(nodes, "", lastWorker, setField("", "metadata", "labels", "node-role.kubernetes.io/control-plane"))
		}, fails(check, "1 worker")),
		bad("node-disk-pressure", "a worker runs out of disk", hasTrouble("DiskPressure", "KubeletHasDiskPressure"), warns(check, lastWorker, "disk")),
		bad("node-no-network", "a worker has no pod network", hasTrouble("NetworkUnavailable", "NoRouteCreated"), warns(check, lastWorker, "network")),
	}
}

func monitoringMutations() []Mutation {
	const ns, operator, check, shipper = "monitoring", "kube-prometheus-stack-operator", "prometheus-operator", "log-shipper"
	return []Mutation{
		bad("operator-gone", "the Prometheus Operator was deleted", func(c *changer) { c.remove(deployments, ns, operator) }, fails(check, "operator")),
		bad("operator-stopped", "the Prometheus Operator is scaled to zero", func(c *changer) { c.edit(deployments, ns, operator, replicate(0)) }, fails(check, "operator")),
		bad("operator-crashing", "the Prometheus Operator does not start", func(c *changer) { c.pods(ns, operator, 0, c.broken("CrashLoopBackOff", 9)) },
			fails(check, "operator")),
		bad("prometheus-gone", "the Prometheus object was deleted", func(c *changer) { c.remove(prometheuses, ns, "kube-prometheus-stack-prometheus") },
			fails(check, "prometheus"), fails("monitors-bind", "16 of 16 monitors", "no Prometheus object")),
		bad("prometheus-unavailable", "Prometheus itself does not start, and the operator says so", func(c *changer) {
			c.pods(ns, "prometheus-kube-prometheus-stack-prometheus", 0, c.broken("CrashLoopBackOff", 4))
		}, fails(check, "Available")),
		bad("log-shipper-gone", "Promtail was deleted", func(c *changer) { c.remove(daemonSets, ns, "promtail") }, fails(shipper, "promtail")),
		bad("log-shipper-not-everywhere", "Promtail is kept off a node", func(c *changer) {
			for _, n := range []string{ControlPlane, "k8s-worker-1"} {
				c.edit(nodes, "", n, setField("yes", "metadata", "labels", "logs"))
			}
			c.edit(daemonSets, ns, "promtail", setField(object{"logs": "yes"}, "spec", "template", "spec", "nodeSelector"))
		}, fails(shipper, "promtail", lastWorker)),
		bad("log-shipper-crashing", "Promtail crashes on one node", func(c *changer) { c.pods(ns, "promtail", 1, c.broken("CrashLoopBackOff", 3)) },
			fails(shipper, "2 of 3", "CrashLoopBackOff")),
		bad("log-shipper-placeholder", "Promtail was replaced by something that sleeps", func(c *changer) {
			c.edit(daemonSets, ns, "promtail", runsTemplate("busybox:latest"))
		}, fails(shipper, "busybox")),
	}
}

// serviceMutations are what happened to the platform's services on one day or another.
func serviceMutations() []Mutation {
	const dp, check, portal = "data-platform", "services-inventory", "portal-ready"
	stuck := func(kind, status, reason, message string) func(*changer) {
		return func(c *changer) {
			c.edit(deployments, dp, "superset-worker", func(d object) { setCondition(d, condition(kind, status, reason, message, c.now)) })
		}
	}
	return []Mutation{
		bad("portal-gone", "the portal was deleted", func(c *changer) { c.remove(deployments, dp, "portal") }, fails(portal, "portal does not exist"), fails(check, "gone: portal")),
		bad("portal-stopped", "the portal is scaled to zero", func(c *changer) { c.edit(deployments, dp, "portal", replicate(0)) }, fails(portal, "zero"), fails(check, "portal")),
		bad("portal-placeholder", "the portal is a web server's welcome page", func(c *changer) { c.edit(deployments, dp, "portal", runsTemplate("nginx:1.25")) },
			fails(portal, "nginx:1.25"), fails(check, "nginx:1.25")),
		bad("portal-image-missing", "the portal's image cannot be pulled", func(c *changer) { c.pods(dp, "portal", 0, c.broken("ImagePullBackOff", 0)) },
			fails(portal, "ImagePullBackOff"), fails(check, "portal")),
		bad("service-deleted", "Superset was deleted", func(c *changer) { c.remove(deployments, dp, "superset-web") }, fails(check, "gone: superset-web")),
		bad("service-deleted-set", "stabilised by deletion: Doris is gone", func(c *changer) { c.remove(statefulSets, dp, "doris-fe") }, fails(check, "gone: doris-fe")),
		bad("service-stopped", "Vault is scaled to zero", func(c *changer) { c.edit(deployments, "vault-prod", "vault", replicate(0)) }, fails(check, "zero: vault")),
		bad("service-placeholder", "Trino is a placeholder", func(c *changer) { c.edit(deployments, dp, "trino-coordinator", runsTemplate("nginx:1.25")) },
			fails(check, "trino-coordinator", "nginx:1.25")),
		bad("service-downloads-itself", "lakeFS runs a bare system that is to download it", func(c *changer) { c.edit(deployments, dp, "lakefs", runsTemplate("alpine:latest")) },
			fails(check, "lakefs", "alpine:latest")),
		bad("service-patched-pod", "the pod of Redis was patched to another image", func(c *changer) { c.pods(dp, "redis", 0, runs("nginx:1.25", "spec")) },
			fails(check, "redis", "nginx:1.25")),
		bad("service-other-registry", "Grafana comes from a registry of the same paths", func(c *changer) {
			c.edit(deployments, "monitoring", "grafana", runsTemplate("registry.example.org/grafana/grafana:10.2.0"))
		}, fails(check, "grafana", "registry.example.org")),
		bad("service-crashing", "a consumer of DataHub crashes again and again", func(c *changer) { c.pods(dp, "datahub-mae-consumer", 0, c.broken("CrashLoopBackOff", 14)) },
			fails(check, "datahub-mae-consumer", "CrashLoopBackOff", "14 restarts")),
		bad("service-crashing-set", "Doris's backend crashes", func(c *changer) { c.pods(dp, "doris-be", 0, c.broken("CrashLoopBackOff", 2)) },
			fails(check, "doris-be", "CrashLoopBackOff")),
		bad("service-half-there", "one of two DolphinScheduler servers crashes", func(c *changer) { c.pods(dp, "dolphinscheduler-api", 1, c.broken("CrashLoopBackOff", 5)) },
			fails(check, "dolphinscheduler-api has 1 of 2")),
		bad("service-image-missing", "MinIO's image cannot be pulled", func(c *changer) { c.pods(dp, "minio", 0, c.broken("ErrImagePull", 0)) }, fails(check, "minio", "ErrImagePull")),
		bad("service-config-missing", "lakeFS waits for a Secret that nobody made", func(c *changer) { c.pods(dp, "lakefs", 0, c.broken("CreateContainerConfigError", 0)) },
			fails(check, "lakefs", "CreateContainerConfigError")),
		bad("service-no-room", "no node has room for Trino's coordinator", func(c *changer) {
			c.pods(dp, "trino-coordinator", 0, func(p object) {
				delete(sub(p, "spec"), "nodeName")
				p["status"] = object{"phase": "Pending", "conditions": []any{condition("PodScheduled", "False", "Unschedulable", "Insufficient memory", c.now)}}
			})
		}, fails(check, "trino-coordinator", "no node")),
		bad("service-rollout-stuck", "an update of Superset does not get on", stuck("Progressing", "False", "ProgressDeadlineExceeded", "has timed out progressing"),
			fails(check, "superset-worker", "ProgressDeadlineExceeded")),
		bad("service-refused", "the quota refuses pods of Superset", stuck("ReplicaFailure", "True", "FailedCreate", "exceeded quota: data-platform-quota"),
			fails(check, "superset-worker", "exceeded quota")),
	}
}

func scalerMutations() []Mutation {
	const dp, trino, superset, api = "data-platform", "hpa-trino", "hpa-superset", "metrics-api"
	return []Mutation{
		bad("hpa-gone", "Trino's autoscaler was deleted", func(c *changer) { c.remove(scalers, dp, "trino-hpa") }, fails(trino, "trino-hpa does not exist")),
		bad("hpa-target-missing", "Trino's autoscaler names a Deployment that is not there", func(c *changer) {
			c.edit(scalers, dp, "trino-hpa", setField("trino", "spec", "scaleTargetRef", "name"))
		}, fails(trino, "deployment trino does not exist")),
		bad("hpa-pinned", "Trino's autoscaler is at its maximum", func(c *changer) { c.edit(deployments, dp, "trino-worker", replicate(5)) },
			fails(trino, "pinned at its maximum", "5 of 5")),
		bad("hpa-disabled", "Trino's workers are scaled to zero", func(c *changer) { c.edit(deployments, dp, "trino-worker", replicate(0)) },
			fails(trino, "ScalingDisabled"), fails("services-inventory", "trino-worker")),
		bad("hpa-no-metrics", "no metrics of Superset's pods come in", func(c *changer) {
			c.halt("metrics-server")
			c.pods(dp, "superset-web", 0, func(p object) { c.remove(podMetrics, dp, name(p)) })
		}, fails(superset, "FailedGetResourceMetric")),
		bad("hpa-no-requests", "Superset's pods request nothing, so that no share of it can be used", func(c *changer) {
			c.edit(deployments, dp, "superset-web", func(d object) {
				for _, item := range list(d, "spec", "template", "spec", "containers") {
					if m, ok := item.(object); ok {
						delete(m, "resources")
					}
				}
			})
		}, fails(superset, "0 of 1 metric")),
		bad("hpa-no-room", "Superset's autoscaler has the same minimum and maximum", func(c *changer) {
			c.edit(scalers, dp, "superset-hpa", setField(4, "spec", "minReplicas"))
		}, fails(superset, "minimum is 4 and its maximum 4")),
		bad("metrics-server-stopped", "metrics-server has no pod", func(c *changer) { c.edit(deployments, "kube-system", "metrics-server", replicate(0)) },
			fails(api, "Available"), fails(trino, "unable to get metrics")),
		bad("metrics-api-gone", "the metrics API is not registered", func(c *changer) { c.remove(apiServices, "", "v1beta1.metrics.k8s.io") },
			fails(api, "not registered"), fails(superset, "unable to get metrics")),
		bad("metrics-api-empty", "the metrics API is Available and serves nothing of nodes", func(c *changer) {
			c.halt("metrics-server")
			for _, n := range []string{ControlPlane, "k8s-worker-1", lastWorker} {
				c.remove(nodeMetrics, "", n)
			}
		}, fails(api, "no samples")),
	}
}

func securityMutations() []Mutation {
	const enforce, check = "pod-security.kubernetes.io/enforce", "pod-security"
	return []Mutation{
		bad("pod-security-unlabelled", "a workload namespace lost its Pod Security label", func(c *changer) {
			c.edit(namespaces, "", "data-platform", func(n object) { delete(sub(n, "metadata", "labels"), enforce) })
		}, fails(check, "data-platform")),
		bad("pod-security-privileged", "a workload namespace allows privileged pods", func(c *changer) {
			c.edit(namespaces, "", "monitoring", setField("privileged", "metadata", "labels", enforce))
		}, fails(check, "monitoring")),
		bad("pod-security-namespace-gone", "a workload namespace was deleted", func(c *changer) { c.remove(namespaces, "", "cloudflare-tunnel") },
			fails(check, "cloudflare-tunnel")),
	}
}
