package world

const lonelyNode = "k8s-worker-1"

// pdb is a disruption budget for the pods of an app.
func pdb(namespace, name, app string, minAvailable int) object {
	return create("policy/v1", "PodDisruptionBudget", namespace, name, nil, object{"spec": object{
		"minAvailable": minAvailable, "selector": object{"matchLabels": object{"app": app}},
	}})
}

func guardMutations() []Mutation {
	const dp, check = "data-platform", "workload-guards"
	template := func(name string, change func(spec object)) func(*changer) {
		return func(c *changer) {
			c.edit(deployments, dp, name, func(d object) { change(sub(d, "spec", "template", "spec")) })
		}
	}
	quota := func(what, amount string) func(*changer) {
		return func(c *changer) { c.edit(quotas, dp, "data-platform-quota", setField(amount, "spec", "hard", what)) }
	}
	return []Mutation{
		bad("pdb-gone", "the portal's disruption budget was deleted", func(c *changer) { c.remove(budgets, dp, "portal-pdb") }, fails(check, "portal has no disruption budget")),
		bad("pdb-selects-nothing", "the disruption budget of Trino's workers is for pods of another name", func(c *changer) {
			c.edit(budgets, dp, "trino-worker-pdb", setField(object{"app": "trino", "component": "worker"}, "spec", "selector", "matchLabels"))
		}, fails(check, "trino-worker has no disruption budget", "pdb data-platform/trino-worker-pdb selects no pod", "pods carry app=trino-coordinator, app=trino-worker")),
		bad("pdb-allows-nothing", "the portal's disruption budget wants both pods", func(c *changer) {
			c.edit(budgets, dp, "portal-pdb", setField(2, "spec", "minAvailable"))
		}, fails(check, "pdb portal-pdb", "allows no disruption: 2 of 2 pods healthy, 2 needed")),
		bad("pdb-twice", "a second disruption budget is for the same pods", func(c *changer) { c.add(pdb(dp, "web", "superset-web", 1)) },
			fails(check, "superset-web is selected by 2 disruption budgets")),
		bad("pdb-one-unready", "one of two pods of DataHub's frontend crashes, so that none may be taken away", func(c *changer) {
			c.pods(dp, "datahub-frontend", 1, c.broken("CrashLoopBackOff", 4))
		}, fails(check, "datahub-frontend", "allows no disruption: 1 of 2 pods healthy, 1 needed")),
		bad("apart-by-nothing", "nothing keeps the pods of Superset apart", template("superset-web", func(spec object) {
			delete(spec, "affinity")
			delete(spec, "topologySpreadConstraints")
		}), fails(check, "superset-web has neither topology spread nor anti-affinity")),
		bad("apart-from-others", "what is to keep the portal's pods apart is about other pods", template("portal", func(spec object) {
			delete(spec, "topologySpreadConstraints")
			spec["affinity"] = apart("portal-web")
		}), fails(check, "portal is kept apart by nothing", "app=portal-web")),
		bad("quota-exceeded", "the quota was lowered to a third of what is used", quota("requests.cpu", "4"),
			fails(check, "quota data-platform/data-platform-quota is exceeded", "of 4 used")),
		bad("quota-full", "the quota leaves no room for one more pod of any size", quota("requests.memory", "48Gi"), fails(check, "no room for one more pod", "quota data-platform-quota")),
		bad("critical-gone", "the shared database was deleted", func(c *changer) { c.remove(statefulSets, dp, "postgres-shared") },
			fails(check, "postgres-shared does not exist"), fails("replicas-spread", "postgres-shared does not exist")),
	}
}

func spreadMutations() []Mutation {
	const dp, check = "data-platform", "replicas-spread"
	together := func(app string) func(*changer) {
		return func(c *changer) { c.pods(dp, app, 0, setField(lonelyNode, "spec", "nodeName")) }
	}
	return []Mutation{
		bad("spread-together", "both pods of the portal are on one node", together("portal"), fails(check, "all replicas on "+lonelyNode+": portal")),
		bad("spread-together-set", "both pods of the shared database are on one node", together("postgres-shared"), fails(check, "all replicas on "+lonelyNode, "postgres-shared")),
		bad("spread-single", "the portal is declared with one replica", func(c *changer) { c.edit(deployments, dp, "portal", replicate(1)) },
			fails(check, "portal is declared with 1 replica"), fails("workload-guards", "portal")),
		bad("spread-other-unready", "the only pod of Superset on another node does not run", func(c *changer) { c.pods(dp, "superset-web", 1, c.broken("CrashLoopBackOff", 8)) },
			fails(check, "all replicas on", "superset-web")),
		bad("spread-none-ready", "no pod of the tunnel is ready", func(c *changer) { c.pods("cloudflare-tunnel", "cloudflared", 0, c.broken("CrashLoopBackOff", 60)) },
			fails(check, "cloudflared has no ready pod", "CrashLoopBackOff")),
	}
}

func harmlessBinds() []Mutation {
	const dp = "data-platform"
	return []Mutation{
		harmless("door-added", "somebody's own host leads nowhere", func(c *changer) {
			c.add(create(netGroup, "Ingress", dp, "playground", nil, object{"spec": object{"ingressClassName": "nginx", "rules": []any{object{
				"host": "playground.254carbon.com", "http": object{"paths": []any{object{
					"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": "playground", "port": object{"number": 80}}},
				}}},
			}}}}))
		}),
		harmless("door-path-added", "DataHub's API has an Ingress of its own under the same host", func(c *changer) {
			c.add(create(netGroup, "Ingress", dp, "datahub-api", nil, object{"spec": object{"ingressClassName": "nginx", "rules": []any{object{
				"host": "datahub.254carbon.com", "http": object{"paths": []any{object{
					"path": "/api", "pathType": "Prefix", "backend": object{"service": object{"name": "datahub-gms", "port": object{"name": "http"}}},
				}}},
			}}}}))
		}),
		harmless("policy-added", "one more policy, and it binds", func(c *changer) {
			c.add(netPolicy(dp, "minio-access", "minio", fromLabelled(object{"kubernetes.io/metadata.name": "velero"})))
		}),
		harmless("wildcard-unused", "a role that allows everything is bound to nobody", func(c *changer) { c.add(wildRole("ClusterRole", "", "katib-controller", "*")) }),
		harmless("rights-added", "somebody may look at things", func(c *changer) {
			c.add(bindTo("alice-looks", "view", object{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}))
		}),
		harmless("pdb-added", "MinIO has a disruption budget that allows none", func(c *changer) { c.add(pdb(dp, "minio-pdb", "minio", 1)) }),
		harmless("quota-raised", "the quota was raised", func(c *changer) {
			c.edit(quotas, dp, "data-platform-quota", setField("120", "spec", "hard", "requests.cpu"))
		}),
	}
}
