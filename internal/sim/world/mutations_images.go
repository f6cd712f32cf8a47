package world

import "github.com/254carbon/gonogo/internal/sim/oci"

// imageMutations are the ways in which images come from elsewhere than the platform's own registry.
func imageMutations() []Mutation {
	const dp, check = "data-platform", "images-origin"
	reported := func(id string) func(object) {
		return func(p object) {
			for _, item := range list(p, "status", "containerStatuses") {
				if m, ok := item.(object); ok {
					m["imageID"] = id
				}
			}
		}
	}
	tool := func(image string) func(*changer) {
		return func(c *changer) {
			spec := object{"nodeName": ControlPlane, "containers": []any{object{"name": "tool", "image": image}}}
			c.add(create("v1", "Pod", dp, "tool", nil, object{"spec": spec, "status": runningStatus(spec, "10.244.0.253", c.now)}))
		}
	}
	return []Mutation{
		bad("origin-workload", "Redis is run from Docker Hub again", func(c *changer) { c.edit(deployments, dp, "redis", runsTemplate("redis:7.2")) },
			fails(check, "1 of 83", "redis (redis)")),
		bad("origin-by-hand", "somebody runs a tool from Docker Hub under its full name", tool("index.docker.io/bitnami/kubectl:latest"),
			fails(check, "1 of 84", "tool (bitnami/kubectl)")),
		bad("origin-init-container", "Trino's coordinator is prepared by an image of Docker Hub", func(c *changer) {
			c.edit(deployments, dp, "trino-coordinator", setField([]any{object{"name": "prepare", "image": "busybox:1.36"}}, "spec", "template", "spec", "initContainers"))
		}, fails(check, "trino-coordinator (busybox)")),
		bad("origin-several", "Superset and Kafka are run from Docker Hub again", func(c *changer) {
			c.edit(deployments, dp, "superset-web", runsTemplate("docker.io/apache/superset:4.0.1"))
			c.edit(statefulSets, dp, "kafka", runsTemplate("confluentinc/cp-kafka:7.5.0"))
		}, fails(check, "3 of 83", "superset-web (apache/superset), kafka (confluentinc/cp-kafka)")),
		bad("origin-loaded", "Grafana's image was taken from Docker Hub and loaded into the node under the mirror's name", func(c *changer) {
			c.pods("monitoring", "grafana", 0, reported("docker.io/grafana/grafana@"+digest("another Grafana")))
		}, fails(check, "grafana", "loaded as grafana/grafana")),
		harmless("origin-same-bytes", "the runtime knows Grafana's mirrored image by the name of the original, too", func(c *changer) {
			c.pods("monitoring", "grafana", 0, reported("docker.io/grafana/grafana@"+oci.Digest("grafana/grafana:10.2.0")))
		}),
		harmless("origin-exempt", "another part of Velero runs, which is exempt", tool("velero/velero-plugin-for-aws:v1.7.1")),
		harmless("origin-elsewhere", "a tool comes from another registry", tool("quay.io/minio/mc:RELEASE.2024-01-11T03-23-48Z")),
	}
}
