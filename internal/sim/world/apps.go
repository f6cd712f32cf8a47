package world

// app is a workload of the platform. Its pods carry the label app with its name.
type app struct {
	namespace, kind, name string
	replicas              int
	image                 string
	cpu, memory           int    // requests in millicores and MiB
	service               string // which of the platform's services it belongs to, for the inventory; empty for none
	critical              bool   // kept apart and guarded by a disruption budget
	sidecar               string // image of a second container
	account               string
	args                  []string
	ports                 string // of the container, besides those that services lead to
	labels                map[string]string
}

const (
	deployment  = "Deployment"
	statefulSet = "StatefulSet"
	daemonSet   = "DaemonSet"
)

// apps are the workloads of both scenarios.
func apps() []app {
	const dp = "data-platform"
	const datahub, scheduler, doris = "linkedin/datahub-gms:v0.12.0", "apache/dolphinscheduler:3.1.5", "amd64/doris:2.0.0"
	list := []app{
		{namespace: dp, kind: deployment, name: "portal", replicas: 2, image: "254carbon-portal:1.4.0", cpu: 100, memory: 128, service: "portal", critical: true},
		{namespace: dp, kind: deployment, name: "portal-services", replicas: 1, image: "254carbon/portal-services:1.4.0", cpu: 50, memory: 64, service: "portal"},
		{namespace: dp, kind: deployment, name: "superset-web", replicas: 2, image: "apache/superset:4.0.1", cpu: 500, memory: 1024, service: "superset", critical: true},
		{namespace: dp, kind: deployment, name: "superset-worker", replicas: 1, image: "apache/superset:4.0.1", cpu: 500, memory: 1024, service: "superset"},
		{namespace: dp, kind: deployment, name: "superset-beat", replicas: 1, image: "apache/superset:4.0.1", cpu: 100, memory: 256, service: "superset"},
		{namespace: dp, kind: deployment, name: "redis", replicas: 1, image: "redis:7.2", cpu: 100, memory: 128, service: "superset"},
		{namespace: dp, kind: deployment, name: "datahub-frontend", replicas: 2, image: "linkedin/datahub-frontend-react:v0.12.0", cpu: 200, memory: 512, service: "datahub", critical: true},
		{namespace: dp, kind: deployment, name: "datahub-gms", replicas: 1, image: datahub, cpu: 500, memory: 1024, service: "datahub"},
		{namespace: dp, kind: deployment, name: "datahub-mae-consumer", replicas: 1, image: datahub, cpu: 200, memory: 512, service: "datahub"},
		{namespace: dp, kind: deployment, name: "datahub-mce-consumer", replicas: 1, image: datahub, cpu: 200, memory: 512, service: "datahub"},
		{namespace: dp, kind: deployment, name: "trino-coordinator", replicas: 1, image: "trinodb/trino:424", cpu: 1000, memory: 4096, service: "trino"},
		{namespace: dp, kind: deployment, name: "trino-worker", replicas: 3, image: "trinodb/trino:424", cpu: 1000, memory: 4096, service: "trino", critical: true},
		{namespace: dp, kind: statefulSet, name: "doris-fe", replicas: 1, image: doris, cpu: 500, memory: 2048, service: "doris"},
		{namespace: dp, kind: statefulSet, name: "doris-be", replicas: 1, image: doris, cpu: 1000, memory: 4096, service: "doris"},
		{namespace: dp, kind: statefulSet, name: "minio", replicas: 1, image: "minio/minio:RELEASE.2024-01-11T08-13-15Z", cpu: 250, memory: 512, service: "minio"},
		{namespace: dp, kind: deployment, name: "dolphinscheduler-api", replicas: 2, image: scheduler, cpu: 250, memory: 512, service: "dolphinscheduler", critical: true},
		{namespace: dp, kind: deployment, name: "dolphinscheduler-master", replicas: 1, image: scheduler, cpu: 250, memory: 512, service: "dolphinscheduler"},
		{namespace: dp, kind: deployment, name: "dolphinscheduler-worker", replicas: 2, image: scheduler, cpu: 250, memory: 512, service: "dolphinscheduler"},
		{namespace: dp, kind: deployment, name: "dolphinscheduler-alert", replicas: 1, image: scheduler, cpu: 100, memory: 256, service: "dolphinscheduler"},
		{namespace: dp, kind: deployment, name: "lakefs", replicas: 1, image: "treeverse/lakefs:v1.26.0", cpu: 200, memory: 256, service: "lakefs"},
		{namespace: "vault-prod", kind: deployment, name: "vault", replicas: 1, image: "hashicorp/vault:1.15.0", cpu: 250, memory: 256, service: "vault"},
		{namespace: "monitoring", kind: deployment, name: "grafana", replicas: 1, image: "grafana/grafana:10.2.0", cpu: 100, memory: 256, service: "grafana"},

		{namespace: dp, kind: statefulSet, name: "postgres-shared", replicas: 2, image: "postgres:15.5", cpu: 500, memory: 1024, critical: true},
		{namespace: dp, kind: deployment, name: "postgres-workflow", replicas: 1, image: "postgres:15.5", cpu: 250, memory: 512},
		{namespace: dp, kind: statefulSet, name: "zookeeper", replicas: 1, image: "confluentinc/cp-zookeeper:7.5.0", cpu: 100, memory: 256},
		{namespace: dp, kind: statefulSet, name: "kafka", replicas: 1, image: "confluentinc/cp-kafka:7.5.0", cpu: 500, memory: 1024},
		{namespace: dp, kind: deployment, name: "schema-registry", replicas: 1, image: "confluentinc/cp-schema-registry:7.5.0", cpu: 100, memory: 256},
		{namespace: dp, kind: statefulSet, name: "elasticsearch", replicas: 1, image: "docker.elastic.co/elasticsearch/elasticsearch:8.10.2", cpu: 500, memory: 2048},
		{namespace: dp, kind: deployment, name: "iceberg-rest-catalog", replicas: 1, image: "ghcr.io/tabulario/iceberg-rest:0.6.0", cpu: 100, memory: 256},
		{namespace: dp, kind: deployment, name: "spark-history-server", replicas: 1, image: "bitnami/spark:3.5.0", cpu: 200, memory: 512},
		{namespace: dp, kind: deployment, name: "spark-operator", replicas: 1, image: "ghcr.io/kubeflow/spark-operator/controller:2.0.2", cpu: 100, memory: 128},
	}
	return append(list, systemApps()...)
}

// systemApps are the workloads that carry the platform.
func systemApps() []app {
	const harbor = "v2.16.0"
	const operator = "quay.io/prometheus-operator/"
	return []app{
		{namespace: "monitoring", kind: deployment, name: "kube-prometheus-stack-operator", replicas: 1, image: operator + "prometheus-operator:v0.86.1", cpu: 100, memory: 128,
			labels: map[string]string{"app.kubernetes.io/name": "kube-prometheus-stack-prometheus-operator", "app.kubernetes.io/component": "prometheus-operator"}},
		{namespace: "monitoring", kind: statefulSet, name: "prometheus-kube-prometheus-stack-prometheus", replicas: 1, image: "prom/prometheus:v2.48.0", cpu: 500, memory: 2048,
			sidecar: operator + "prometheus-config-reloader:v0.86.1", labels: map[string]string{"app.kubernetes.io/name": "prometheus"}},
		{namespace: "monitoring", kind: statefulSet, name: "alertmanager-kube-prometheus-stack-alertmanager", replicas: 2, image: "prom/alertmanager:v0.26.0", cpu: 100, memory: 128,
			sidecar: operator + "prometheus-config-reloader:v0.86.1", labels: map[string]string{"app.kubernetes.io/name": "alertmanager"}},
		{namespace: "monitoring", kind: statefulSet, name: "loki", replicas: 1, image: "grafana/loki:2.9.3", cpu: 200, memory: 512},
		{namespace: "monitoring", kind: daemonSet, name: "promtail", image: "grafana/promtail:2.9.3", cpu: 50, memory: 64, ports: "http-metrics=9080"},

		{namespace: "registry", kind: deployment, name: "harbor-core", replicas: 1, image: "goharbor/harbor-core:" + harbor, cpu: 100, memory: 256},
		{namespace: "registry", kind: deployment, name: "harbor-jobservice", replicas: 1, image: "goharbor/harbor-jobservice:" + harbor, cpu: 100, memory: 256},
		{namespace: "registry", kind: deployment, name: "harbor-portal", replicas: 1, image: "goharbor/harbor-portal:" + harbor, cpu: 50, memory: 64},
		{namespace: "registry", kind: deployment, name: "harbor-registry", replicas: 1, image: "goharbor/registry-photon:" + harbor, cpu: 100, memory: 256, sidecar: "goharbor/harbor-registryctl:" + harbor},
		{namespace: "registry", kind: statefulSet, name: "harbor-database", replicas: 1, image: "goharbor/harbor-db:" + harbor, cpu: 100, memory: 256},
		{namespace: "registry", kind: statefulSet, name: "harbor-redis", replicas: 1, image: "goharbor/redis-photon:" + harbor, cpu: 50, memory: 64},
		{namespace: "registry", kind: statefulSet, name: "harbor-trivy", replicas: 1, image: "goharbor/trivy-adapter-photon:" + harbor, cpu: 100, memory: 256},

		{namespace: "cloudflare-tunnel", kind: deployment, name: "cloudflared", replicas: 2, image: "cloudflare/cloudflared:2025.10.0", cpu: 50, memory: 64, critical: true,
			ports: "metrics=2000", labels: map[string]string{"app.kubernetes.io/name": "cloudflare-tunnel"}},
		{namespace: "ingress-nginx", kind: deployment, name: "nginx-ingress-controller", replicas: 1, image: "registry.k8s.io/ingress-nginx/controller:v1.8.1", cpu: 100, memory: 128,
			ports: "metrics=10254", labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}},
		{namespace: "cert-manager", kind: deployment, name: "cert-manager", replicas: 1, image: "quay.io/jetstack/cert-manager-controller:v1.13.0", cpu: 50, memory: 64},
		{namespace: "cert-manager", kind: deployment, name: "cert-manager-cainjector", replicas: 1, image: "quay.io/jetstack/cert-manager-cainjector:v1.13.0", cpu: 50, memory: 64},
		{namespace: "cert-manager", kind: deployment, name: "cert-manager-webhook", replicas: 1, image: "quay.io/jetstack/cert-manager-webhook:v1.13.0", cpu: 50, memory: 64},
		{namespace: "kyverno", kind: deployment, name: "kyverno", replicas: 1, image: "ghcr.io/kyverno/kyverno:v1.11.0", cpu: 100, memory: 128},
		{namespace: "local-path-storage", kind: deployment, name: "local-path-provisioner", replicas: 1, image: "kindest/local-path-provisioner:v20240813-c6f155d6", cpu: 50, memory: 64},

		{namespace: "velero", kind: deployment, name: "velero", replicas: 1, image: "velero/velero:v1.17.0", cpu: 500, memory: 128, account: "velero",
			args: []string{"server", "--default-volumes-to-fs-backup"}, ports: "metrics=8085"},
		{namespace: "velero", kind: daemonSet, name: "node-agent", image: "velero/velero:v1.17.0", cpu: 100, memory: 128, account: "velero", args: []string{"node-agent", "server"}},

		{namespace: "kube-system", kind: deployment, name: "coredns", replicas: 2, image: "registry.k8s.io/coredns/coredns:v1.11.1", cpu: 100, memory: 70,
			labels: map[string]string{"k8s-app": "kube-dns"}},
		{namespace: "kube-system", kind: deployment, name: "metrics-server", replicas: 1, image: "registry.k8s.io/metrics-server/metrics-server:v0.6.4", cpu: 100, memory: 200},
		{namespace: "kube-system", kind: daemonSet, name: "kindnet", image: "kindest/kindnetd:v20240813-c6f155d6", cpu: 100, memory: 50},
		{namespace: "kube-system", kind: daemonSet, name: "kube-proxy", image: "registry.k8s.io/kube-proxy:v1.31.0", cpu: 50, memory: 64},
	}
}

// service is a Service. It selects the pods of one app; ports are written as name=port.
type service struct {
	namespace, name string
	app             string            // the app whose pods it selects
	ports           string            // "http=8080 metrics=9090"
	label           string            // value of its label app; that of the app by default
	only            map[string]string // further labels that pods must carry
	headless        bool
}

func platformServices() []service {
	const dp, mon = "data-platform", "monitoring"
	return []service{
		{namespace: dp, name: "portal", app: "portal", ports: "http=8080"},
		{namespace: dp, name: "portal-services", app: "portal-services", ports: "http=8080"},
		{namespace: dp, name: "superset", app: "superset-web", ports: "http=8088 metrics=9102", label: "superset"},
		{namespace: dp, name: "redis", app: "redis", ports: "redis=6379"},
		{namespace: dp, name: "datahub-frontend", app: "datahub-frontend", ports: "http=9002"},
		{namespace: dp, name: "datahub-gms", app: "datahub-gms", ports: "http=8080 metrics=4318"},
		{namespace: dp, name: "trino-coordinator", app: "trino-coordinator", ports: "http=8080"},
		{namespace: dp, name: "trino", app: "trino-coordinator", ports: "http=8080 metrics=9090", label: "trino"},
		{namespace: dp, name: "doris-fe-service", app: "doris-fe", ports: "metrics=8030 mysql=9030", label: "doris"},
		{namespace: dp, name: "doris-be-service", app: "doris-be", ports: "webserver=8040", label: "doris"},
		{namespace: dp, name: "minio-service", app: "minio", ports: "api=9000"},
		{namespace: dp, name: "minio-console", app: "minio", ports: "console=9001"},
		{namespace: dp, name: "minio-metrics", app: "minio", ports: "metrics=9000"},
		{namespace: dp, name: "dolphinscheduler-api", app: "dolphinscheduler-api", ports: "http=12345"},
		{namespace: dp, name: "lakefs", app: "lakefs", ports: "http=8000"},
		{namespace: "vault-prod", name: "vault", app: "vault", ports: "http=8200 metrics=9410"},
		{namespace: dp, name: "postgres-shared-headless", app: "postgres-shared", ports: "postgres=5432", headless: true},
		{namespace: dp, name: "postgres-metrics", app: "postgres-shared", ports: "metrics=9187", label: "postgres"},
		{namespace: dp, name: "postgres-workflow-service", app: "postgres-workflow", ports: "postgres=5432"},
		{namespace: dp, name: "zookeeper-service", app: "zookeeper", ports: "client=2181"},
		{namespace: dp, name: "kafka-service", app: "kafka", ports: "broker=9092 metrics=9404"},
		{namespace: dp, name: "schema-registry-service", app: "schema-registry", ports: "http=8081"},
		{namespace: dp, name: "elasticsearch-service", app: "elasticsearch", ports: "http=9200 metrics=9114"},
		{namespace: dp, name: "iceberg-rest-catalog", app: "iceberg-rest-catalog", ports: "catalog-api=8181"},
		{namespace: dp, name: "spark-history-server", app: "spark-history-server", ports: "history-ui=18080"},
		{namespace: dp, name: "spark-operator-metrics", app: "spark-operator", ports: "metrics=10254"},
		{namespace: mon, name: "grafana", app: "grafana", ports: "http=3000"},
		{namespace: mon, name: "loki", app: "loki", ports: "loki-api=3100"},
		{namespace: mon, name: "kube-prometheus-stack-prometheus", app: "prometheus-kube-prometheus-stack-prometheus", ports: "http-web=9090"},
		{namespace: mon, name: "prometheus-operated", app: "prometheus-kube-prometheus-stack-prometheus", ports: "http-web=9090", headless: true},
		{namespace: mon, name: "kube-prometheus-stack-alertmanager", app: "alertmanager-kube-prometheus-stack-alertmanager", ports: "http-web=9093"},
		{namespace: mon, name: "alertmanager-operated", app: "alertmanager-kube-prometheus-stack-alertmanager", ports: "http-web=9093", headless: true},
		{namespace: "registry", name: "harbor-core", app: "harbor-core", ports: "http=80"},
		{namespace: "registry", name: "harbor-portal", app: "harbor-portal", ports: "http=80"},
		{namespace: "registry", name: "harbor-registry", app: "harbor-registry", ports: "http=5000"},
		{namespace: "ingress-nginx", name: "ingress-nginx-controller", app: "nginx-ingress-controller", ports: "http=80 https=443"},
		{namespace: "kube-system", name: "kube-dns", app: "coredns", ports: "dns-tcp=53"},
		{namespace: "kube-system", name: "metrics-server", app: "metrics-server", ports: "https=443"},
		{namespace: "velero", name: "velero-metrics", app: "velero", ports: "metrics=8085"},
	}
}

// route is a public host and the service behind it.
type route struct{ namespace, name, host, service, port string }

func routes() []route {
	const dp = "data-platform"
	return []route{
		{dp, "portal-ingress", "254carbon.com", "portal", "http"},
		{dp, "portal-www-ingress", "www.254carbon.com", "portal", "http"},
		{dp, "portal-sub-ingress", "portal.254carbon.com", "portal", "http"},
		{"monitoring", "grafana-ingress", "grafana.254carbon.com", "grafana", "http"},
		{dp, "superset-ingress", "superset.254carbon.com", "superset", "http"},
		{dp, "datahub-ingress", "datahub.254carbon.com", "datahub-frontend", "http"},
		{dp, "trino-ingress", "trino.254carbon.com", "trino-coordinator", "http"},
		{dp, "doris-ingress", "doris.254carbon.com", "doris-fe-service", "metrics"},
		{"vault-prod", "vault-ingress", "vault.254carbon.com", "vault", "http"},
		{dp, "minio-ingress", "minio.254carbon.com", "minio-console", "console"},
		{dp, "dolphinscheduler-ingress", "dolphin.254carbon.com", "dolphinscheduler-api", "http"},
		{dp, "lakefs-ingress", "lakefs.254carbon.com", "lakefs", "http"},
		{"registry", "harbor-ingress", "harbor.254carbon.com", "harbor-core", "http"},
	}
}

// monitor is a ServiceMonitor or PodMonitor: what it selects and the port it scrapes.
type monitor struct{ kind, namespace, name, label, port string }

// platformMonitors are the 16 monitors.
func platformMonitors() []monitor {
	const sm, pm, dp = "ServiceMonitor", "PodMonitor", "data-platform"
	return []monitor{
		{sm, dp, "datahub-gms", "datahub-gms", "metrics"}, {sm, dp, "datahub-frontend", "datahub-frontend", "http"}, {sm, dp, "trino", "trino", "metrics"},
		{sm, dp, "doris", "doris", "metrics"}, {sm, dp, "superset", "superset", "metrics"}, {sm, dp, "minio", "minio", "metrics"},
		{sm, dp, "postgres", "postgres", "metrics"}, {sm, dp, "kafka", "kafka", "metrics"}, {sm, dp, "elasticsearch", "elasticsearch", "metrics"},
		{sm, dp, "iceberg-rest-catalog", "iceberg-rest-catalog", "catalog-api"}, {sm, dp, "spark-operator", "spark-operator", "metrics"},
		{sm, dp, "spark-history-server", "spark-history-server", "history-ui"}, {sm, "vault-prod", "vault", "vault", "metrics"},
		{sm, "monitoring", "loki", "loki", "loki-api"},
		{pm, "monitoring", "promtail", "promtail", "http-metrics"}, {pm, "ingress-nginx", "ingress-nginx-controller", "nginx-ingress-controller", "metrics"},
	}
}
