package world

const netGroup, rbacAPI = "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"

// The resources whose objects lead to others.
var (
	ingresses    = grouped("networking.k8s.io", "v1", "ingresses")
	classes      = grouped("networking.k8s.io", "v1", "ingressclasses")
	netPolicies  = grouped("networking.k8s.io", "v1", "networkpolicies")
	clusterRoles = grouped("rbac.authorization.k8s.io", "v1", "clusterroles")
)

// backendOf is what the first path of an Ingress leads to.
func backendOf(in object) object {
	rule, _ := list(in, "spec", "rules")[0].(object)
	path, _ := list(rule, "http", "paths")[0].(object)
	return sub(path, "backend", "service")
}

func doorMutations() []Mutation {
	const dp, check = "data-platform", "ingress-binds"
	service := func(name string, change func(object)) func(*changer) {
		return func(c *changer) { c.edit(services, dp, name, change) }
	}
	return []Mutation{
		bad("ingress-gone", "Trino's Ingress was deleted", func(c *changer) { c.remove(ingresses, dp, "trino-ingress") }, fails(check, "trino.254carbon.com: no Ingress")),
		bad("ingress-service-missing", "Trino's Ingress names a Service that is not there", func(c *changer) {
			c.edit(ingresses, dp, "trino-ingress", func(in object) { backendOf(in)["name"] = "trino-web" })
		}, fails(check, "trino.254carbon.com: service data-platform/trino-web does not exist")),
		bad("ingress-port-missing", "Grafana's Ingress names a port that its Service does not have", func(c *changer) {
			c.edit(ingresses, "monitoring", "grafana-ingress", func(in object) { backendOf(in)["port"] = object{"number": 80} })
		}, fails(check, "grafana.254carbon.com", "no port 80 (it has http)")),
		bad("ingress-two-owners", "two Ingresses in two namespaces own Vault's host", func(c *changer) {
			o, err := c.store.Get(ingresses, "vault-prod", "vault-ingress")
			c.err = err
			if err == nil {
				other := deepCopy(o)
				other["metadata"] = object{"namespace": dp, "name": "vault-ingress"}
				c.add(other)
			}
		}, fails(check, "vault.254carbon.com: two Ingresses own it", "data-platform/vault-ingress", "vault-prod/vault-ingress")),
		bad("ingress-class-gone", "the class of all Ingresses is not there", func(c *changer) { c.remove(classes, "", "nginx") }, fails(check, "class nginx")),
		bad("service-selects-nothing", "lakeFS's Service selects pods of another name", service("lakefs", setField(object{"app": "lakefs-server"}, "spec", "selector")),
			fails(check, "lakefs.254carbon.com", "selects no pod (app=lakefs-server; pods carry app=lakefs)")),
		bad("service-target-port", "the portal's Service leads to a port that its pods do not have", service("portal", func(s object) {
			for _, p := range list(s, "spec", "ports") {
				p.(object)["targetPort"] = "web"
			}
		}), fails(check, "portal.254carbon.com", "none serves its port http")),
		bad("service-unready", "no pod of Superset is ready", func(c *changer) { c.pods(dp, "superset-web", 0, c.broken("CrashLoopBackOff", 7)) },
			fails(check, "superset.254carbon.com", "no ready endpoint (0 of 2 ready)")),
	}
}

// netPolicy is a NetworkPolicy over pods of an app, or with none over all, that lets in what from says.
func netPolicy(namespace, name, app string, ingress ...any) object {
	selector := object{}
	if app != "" {
		selector["matchLabels"] = object{"app": app}
	}
	return create(netGroup, "NetworkPolicy", namespace, name, nil, object{"spec": object{
		"podSelector": selector, "policyTypes": []any{"Ingress"}, "ingress": ingress,
	}})
}

func fromLabelled(labels object) object {
	return object{"from": []any{object{"namespaceSelector": object{"matchLabels": labels}}}}
}

func policyMutations() []Mutation {
	const dp, check = "data-platform", "network-policies"
	return []Mutation{
		bad("policy-no-default", "a workload namespace denies nothing by default", func(c *changer) { c.remove(netPolicies, "monitoring", "default-deny") },
			fails(check, "namespace monitoring has no default-deny")),
		bad("policy-only-out", "the default of Vault's namespace is about what goes out", func(c *changer) {
			c.edit(netPolicies, "vault-prod", "default-deny", setField([]any{"Egress"}, "spec", "policyTypes"))
		}, fails(check, "vault-prod has no default-deny")),
		bad("policy-undone", "another policy lets everything in", func(c *changer) { c.add(netPolicy(dp, "allow-all", "", object{})) },
			fails(check, "data-platform/allow-all lets everything in")),
		bad("policy-label-missing", "a policy relies on a label that nobody set on Velero's namespace", func(c *changer) {
			c.add(netPolicy(dp, "minio-access", "minio", fromLabelled(object{"name": "velero"})))
		}, fails(check, "data-platform/minio-access relies on label name=velero, which namespace velero lacks")),
		bad("policy-namespace-missing", "a policy relies on a namespace that is not there", func(c *changer) {
			c.add(netPolicy(dp, "from-mesh", "", fromLabelled(object{"istio-injection": "enabled"})))
		}, fails(check, "relies on a namespace with istio-injection=enabled")),
		bad("policy-selects-nothing", "a policy is for pods of another name", func(c *changer) {
			c.add(netPolicy(dp, "trino-access", "trino", fromLabelled(object{"kubernetes.io/metadata.name": "ingress-nginx"})))
		}, fails(check, "data-platform/trino-access selects no pod (app=trino; pods carry app=trino-coordinator, app=trino-worker)")),
		bad("policy-dns-nobody", "the way to DNS is open to pods that are not there", func(c *changer) {
			c.edit(netPolicies, dp, "allow-dns", func(o object) {
				rule, _ := list(o, "spec", "egress")[0].(object)
				to, _ := list(rule, "to")[0].(object)
				to["podSelector"] = object{"matchLabels": object{"k8s-app": "coredns"}}
			})
		}, fails(check, "data-platform/allow-dns allows nobody", "k8s-app=coredns")),
		bad("cni-flannel", "the network plugin is one that leaves policies alone", func(c *changer) {
			c.edit(daemonSets, "kube-system", "kindnet", runsTemplate("docker.io/flannel/flannel:v0.25.6"))
		}, fails(check, "not enforced", "flannel")),
		bad("cni-old", "the network plugin is of a time before it enforced policies", func(c *changer) {
			c.edit(daemonSets, "kube-system", "kindnet", runsTemplate("kindest/kindnetd:v20240202-8f1494ea"))
		}, fails(check, "v20240202", "does not enforce them yet")),
		bad("cni-gone", "there is no network plugin", func(c *changer) { c.remove(daemonSets, "kube-system", "kindnet") }, fails(check, "not enforced")),
		bad("cni-not-everywhere", "the network plugin crashes on a node", func(c *changer) { c.pods("kube-system", "kindnet", 1, c.broken("CrashLoopBackOff", 3)) },
			fails(check, "kindnet", "2 of 3 nodes")),
	}
}

// bindTo is a ClusterRoleBinding of a role to one subject.
func bindTo(name, role string, subject object) object {
	return create(rbacAPI, "ClusterRoleBinding", "", name, nil, object{
		"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": []any{subject},
	})
}

// wildRole is a role that allows everything in some API groups.
func wildRole(kind, namespace, name string, groups ...any) object {
	return create(rbacAPI, kind, namespace, name, nil, object{"rules": []any{object{"apiGroups": groups, "resources": []any{"*"}, "verbs": []any{"*"}}}})
}

func rightsMutations() []Mutation {
	const check = "rbac"
	account := func(namespace, name string) object {
		return object{"kind": "ServiceAccount", "namespace": namespace, "name": name}
	}
	group := func(name string) object {
		return object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}
	}
	return []Mutation{
		bad("rbac-default-admin", "the default service account of data-platform is cluster-admin", func(c *changer) {
			c.add(bindTo("quick-fix", "cluster-admin", account("data-platform", "default")))
		}, fails(check, "clusterrolebinding quick-fix", "default service account of data-platform")),
		bad("rbac-every-account", "every service account of a namespace is cluster-admin", func(c *changer) {
			c.add(bindTo("quick-fix", "cluster-admin", group("system:serviceaccounts:monitoring")))
		}, fails(check, "every service account of monitoring")),
		bad("rbac-everyone", "whoever can log in is cluster-admin", func(c *changer) { c.add(bindTo("quick-fix", "cluster-admin", group("system:authenticated"))) },
			fails(check, "everyone who can log in")),
		bad("rbac-undeclared-admin", "an operator that nobody declared is cluster-admin", func(c *changer) {
			c.add(bindTo("openebs", "cluster-admin", account("openebs", "maya-operator")))
		}, fails(check, "service account openebs/maya-operator")),
		bad("rbac-wildcard", "a controller came with a role that allows everything", func(c *changer) {
			c.add(wildRole("ClusterRole", "", "katib-controller", "*"), bindTo("katib-controller", "katib-controller", account("kubeflow", "katib-controller")))
		}, fails(check, "clusterrole katib-controller allows every verb on every resource")),
		bad("rbac-wildcard-in-namespace", "a role of one namespace allows everything there", func(c *changer) {
			c.add(wildRole("Role", "data-platform", "ray-cluster", "", "apps"), create(rbacAPI, "RoleBinding", "data-platform", "ray-cluster", nil, object{
				"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "ray-cluster"},
				"subjects": []any{account("data-platform", "ray")},
			}))
		}, fails(check, "role data-platform/ray-cluster", "the core API, apps")),
		bad("rbac-role-widened", "the role of Prometheus was widened to everything", func(c *changer) {
			c.edit(clusterRoles, "", "kube-prometheus-stack-prometheus", func(o object) {
				o["rules"] = []any{object{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}}}
			})
		}, fails(check, "kube-prometheus-stack-prometheus")),
	}
}
