package world

// postgresMutations change what programs that write to postgres-shared reach.
func postgresMutations() []Mutation {
	const check, dp, service = "postgres-replication", "data-platform", "postgres-shared-service"
	selects := func(selector object) func(*changer) {
		return func(c *changer) { c.edit(services, dp, service, setField(selector, "spec", "selector")) }
	}
	return []Mutation{
		bad("postgres-service-selects-both", "the write Service selects every server", selects(object{"app": "postgres-shared"}),
			fails(check, "selects a standby, pod postgres-shared-1")),
		bad("postgres-service-selects-standby", "the write Service selects the standby, as after a failover that nobody finished",
			selects(object{"app": "postgres-shared", "role": "standby"}), fails(check, "selects a standby")),
		bad("postgres-service-selects-nothing", "the write Service selects a label that no pod carries", selects(object{"app": "postgres"}), fails(check, "selects nothing")),
		bad("postgres-service-selects-more", "the write Service selects another PostgreSQL besides", func(c *changer) {
			for _, app := range []string{"postgres-shared", "postgres-workflow"} {
				c.pods(dp, app, 0, func(p object) {
					if app != "postgres-shared" || text(p, "metadata", "labels", "role") == "primary" {
						sub(p, "metadata", "labels")["writes"] = "yes"
					}
				})
			}
			selects(object{"writes": "yes"})(c)
		}, fails(check, "besides the primary")),
		bad("postgres-service-gone", "the write Service was deleted", func(c *changer) { c.remove(services, dp, service) }, fails(check, "does not exist")),
		bad("postgres-primary-not-ready", "the primary's pod is not ready", func(c *changer) {
			c.pods(dp, "postgres-shared", 0, func(p object) {
				if text(p, "metadata", "labels", "role") == "primary" {
					c.broken("CrashLoopBackOff", 3)(p)
				}
			})
		}, fails(check, "selects nothing that is ready")),
		harmless("postgres-reader-added", "a Service for readers selects both servers", func(c *changer) {
			c.add(create("v1", "Service", dp, "postgres-shared-readers", nil, object{"spec": object{
				"clusterIP": clusterIP(dp + "/postgres-shared-readers"), "selector": object{"app": "postgres-shared"}, "ports": []any{object{"name": "postgres", "port": 5432}},
			}}))
		}),
	}
}
