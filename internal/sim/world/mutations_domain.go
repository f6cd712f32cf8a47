package world

// domainMutations bring the backups back into what they protect, or do not.
func domainMutations() []Mutation {
	const check, dp = "backup-failure-domain", "data-platform"
	to := func(url string) func(*changer) {
		return func(c *changer) {
			c.edit(locations, veleroSpace, BackupLocation, setField(url, "spec", "config", "s3Url"))
		}
	}
	service := func(name string, spec object) object {
		return create("v1", "Service", dp, name, nil, object{"spec": spec})
	}
	return []Mutation{
		bad("domain-ingress", "a host of the platform's own leads from outside to its own MinIO", func(c *changer) {
			c.add(create("networking.k8s.io/v1", "Ingress", dp, "backups-ingress", nil, object{"spec": object{"rules": []any{object{
				"host": BackupHost, "http": object{"paths": []any{object{
					"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": "minio-service", "port": object{"number": 9000}}},
				}}},
			}}}}))
		}, fails(check, "Ingress data-platform/backups-ingress", "StatefulSet minio")),
		bad("domain-cluster-address", "the backups go to the cluster address of MinIO", to("http://"+clusterIP(dp+"/minio-service")+":9000"), fails(check, "minio-service")),
		bad("domain-node-port", "the backups go to a port of a node", to("http://172.19.0.2:30900"), fails(check, "node "+ControlPlane)),
		bad("domain-service", "the backups go to MinIO in the cluster", to("http://minio-service.data-platform.svc.cluster.local:9000"), fails(check, "StatefulSet minio")),
		bad("domain-external-name-back", "a name that sounds like another site leads back to MinIO", func(c *changer) {
			c.add(service("offsite-store", object{"type": "ExternalName", "externalName": "minio-service.data-platform.svc.cluster.local"}))
			to("http://offsite-store.data-platform.svc:9000")(c)
		}, fails(check, "offsite-store", "StatefulSet minio")),
		bad("domain-schedule-elsewhere", "a schedule writes to a second location, which is in the cluster", func(c *changer) {
			c.add(create(veleroAPI, "BackupStorageLocation", veleroSpace, "local", nil, object{
				"spec": object{"provider": "aws", "objectStorage": object{"bucket": "local"}, "config": object{"s3Url": "http://minio-service.data-platform.svc:9000"}},
			}))
			c.edit(schedules, veleroSpace, "critical-backup", setField("local", "spec", "template", "storageLocation"))
		}, fails(check, "location local")),
		harmless("domain-local-unused", "a second location is in the cluster, and no schedule writes there", func(c *changer) {
			c.add(create(veleroAPI, "BackupStorageLocation", veleroSpace, "local", nil, object{
				"spec": object{"provider": "aws", "objectStorage": object{"bucket": "local"}, "config": object{"s3Url": "http://minio-service.data-platform.svc:9000"}},
			}))
		}),
	}
}
