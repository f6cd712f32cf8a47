// Package all is the one list of the kinds of probes: it joins each kind's name with its parameters and the connections it asks over.
package all

import (
	"context"
	"fmt"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/alertmanager"
	"github.com/254carbon/gonogo/probes/catalogue"
	"github.com/254carbon/gonogo/probes/certificates"
	"github.com/254carbon/gonogo/probes/cloudflare"
	"github.com/254carbon/gonogo/probes/command"
	"github.com/254carbon/gonogo/probes/defaults"
	"github.com/254carbon/gonogo/probes/edge"
	"github.com/254carbon/gonogo/probes/evidence"
	"github.com/254carbon/gonogo/probes/files"
	"github.com/254carbon/gonogo/probes/grafana"
	"github.com/254carbon/gonogo/probes/harbor"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/loki"
	"github.com/254carbon/gonogo/probes/monitors"
	"github.com/254carbon/gonogo/probes/postgres"
	"github.com/254carbon/gonogo/probes/prometheus"
	"github.com/254carbon/gonogo/probes/velero"
	"github.com/254carbon/gonogo/probes/web"
)

// kind is a line of the list.
type kind struct {
	info  probes.KindInfo
	build func(id probes.ID, params any, x *platform.Platform) (probes.Probe, error)
}

// of joins a kind with what makes a probe of it. P is the kind's parameter struct.
func of[P any](info probes.KindInfo, build func(p P, x *platform.Platform) probes.Probe) kind {
	return ofErr(info, func(p P, x *platform.Platform) (probes.Probe, error) { return build(p, x), nil })
}

func ofErr[P any](info probes.KindInfo, build func(p P, x *platform.Platform) (probes.Probe, error)) kind {
	return kind{info, func(_ probes.ID, params any, x *platform.Platform) (probes.Probe, error) {
		p, ok := params.(*P)
		if !ok {
			return nil, fmt.Errorf("probe %s takes %T, not %T", info.Name, p, params)
		}
		return build(*p, x)
	}}
}

// list has a line for each kind. To add a kind, add a line.
func list() []kind {
	type X = *platform.Platform
	return []kind{
		of(kube.NodesInfo(), func(p kube.NodesParams, x X) probes.Probe { return kube.NewNodes(x.Cluster, p) }),
		of(kube.HPAInfo(), func(p kube.HPAParams, x X) probes.Probe { return kube.NewHPA(x.Cluster, p) }),
		of(kube.WorkloadsInfo(), func(p kube.WorkloadsParams, x X) probes.Probe { return kube.NewWorkloads(x.Cluster, p) }),
		of(kube.InventoryInfo(), func(p kube.InventoryParams, x X) probes.Probe { return kube.NewInventory(x.Cluster, p) }),
		of(kube.BindsInfo(), func(p kube.BindsParams, x X) probes.Probe { return kube.NewBinds(x.Cluster, p) }),
		of(kube.RBACInfo(), func(p kube.RBACParams, x X) probes.Probe { return kube.NewRBAC(x.Cluster, p) }),
		of(kube.SpreadInfo(), func(p kube.SpreadParams, x X) probes.Probe { return kube.NewSpread(x.Cluster, p) }),
		of(kube.ControlPlaneInfo(), func(p kube.ControlPlaneParams, x X) probes.Probe {
			return kube.NewControlPlane(x.Cluster, x.Cluster, p, x.Now)
		}),
		ofErr(kube.ObjectsInfo(), func(p kube.ObjectsParams, x X) (probes.Probe, error) { return kube.NewObjects(x.Cluster, p, x.Now) }),
		of(kube.MetricsInfo(), func(p kube.MetricsParams, x X) probes.Probe { return kube.NewMetrics(x.Cluster, p, x.Now) }),
		of(velero.ServerInfo(), func(p velero.ServerParams, x X) probes.Probe { return velero.NewServer(x.Cluster, p) }),
		of(velero.StorageInfo(), func(p velero.StorageParams, x X) probes.Probe {
			var store velero.Buckets // none leaves the bucket to Velero
			if p.Store != "" {
				store = x.MinIO
			}
			return velero.NewStorage(x.Cluster, store, p, x.Now)
		}),
		of(velero.SchedulesInfo(), func(p velero.SchedulesParams, x X) probes.Probe { return velero.NewSchedules(x.Cluster, p, x.Now) }),
		of(velero.DomainInfo(), func(p velero.DomainParams, x X) probes.Probe { return velero.NewDomain(x.Cluster, x.Hosts, p) }),
		of(velero.BackupsInfo(), func(p velero.BackupsParams, x X) probes.Probe { return velero.NewBackups(x.Cluster, p, x.Now) }),
		of(prometheus.TargetsInfo(), func(p prometheus.TargetsParams, x X) probes.Probe { return prometheus.NewTargets(x.Prometheus, p) }),
		of(monitors.Info(), func(p monitors.Params, x X) probes.Probe { return monitors.New(x.Cluster, x.Prometheus, p, x.Now) }),
		of(prometheus.PromQLInfo(), func(p prometheus.PromQLParams, x X) probes.Probe { return prometheus.NewPromQL(x.Prometheus, p) }),
		of(grafana.Info(), func(p grafana.Params, x X) probes.Probe { return grafana.New(x.Web, x.Secrets, p) }),
		of(loki.Info(), func(p loki.Params, x X) probes.Probe { return loki.New(x.Web, p) }),
		of(alertmanager.Info(), func(p alertmanager.Params, x X) probes.Probe { return alertmanager.New(x.Web, x.Prometheus, p, x.Now) }),
		of(harbor.HealthKind(), func(p harbor.HealthParams, x X) probes.Probe { return harbor.NewHealth(x.Harbor, p) }),
		of(harbor.DoorKind(), func(_ harbor.DoorParams, x X) probes.Probe { return harbor.NewDoor(x.Harbor) }),
		of(harbor.CredentialsKind(), func(p harbor.CredentialsParams, x X) probes.Probe {
			return harbor.NewCredentials(x.Harbor, x.Harbor, x.Secrets, p)
		}),
		of(images.MirroredInfo(), func(p images.MirroredParams, x X) probes.Probe {
			return images.NewMirrored(x.Mirror, x.Harbor, x.Upstream, p)
		}),
		of(images.OriginInfo(), func(p images.OriginParams, x X) probes.Probe { return images.NewOrigin(x.Cluster, p) }),
		of(harbor.RobotKind(), func(p harbor.RobotParams, x X) probes.Probe { return harbor.NewRobot(x.Harbor, x.Harbor, p, x.Now) }),
		of(cloudflare.APIKind(), func(p cloudflare.APIParams, x X) probes.Probe {
			return cloudflare.NewAPI(x.Cloudflare, x.Secrets, x.Now, p)
		}),
		of(cloudflare.TunnelKind(), func(p cloudflare.TunnelParams, x X) probes.Probe { return cloudflare.NewTunnel(x.Cloudflare, p) }),
		of(cloudflare.AccessKind(), func(p cloudflare.AccessParams, x X) probes.Probe { return cloudflare.NewAccess(x.Cloudflare, p) }),
		of(cloudflare.RoutesKind(), func(p cloudflare.RoutesParams, x X) probes.Probe { return cloudflare.NewRoutes(x.Cloudflare, p) }),
		of(edge.Info(), func(p edge.Params, x X) probes.Probe { return edge.New(x.Outside, p, x.Now) }),
		of(certificates.Info(), func(p certificates.Params, x X) probes.Probe { return certificates.New(x.Outside, x.Cluster, p, x.Now) }),
		of(defaults.Info(), func(p defaults.Params, x X) probes.Probe { return defaults.New(x.Web, x.Memory, p, x.Now) }),
		of(web.Info(), func(p web.Params, x X) probes.Probe { return web.New(x.Web, p, x.Now) }),
		{evidence.Info(), func(id probes.ID, params any, x X) (probes.Probe, error) {
			return evidence.New(x.Evidence, x.Cluster, id, *params.(*evidence.Params), x.Now), nil
		}},
		{evidence.AttestationInfo(), func(id probes.ID, params any, x X) (probes.Probe, error) {
			return evidence.NewAttestation(x.Evidence, id, *params.(*evidence.AttestationParams), x.Now), nil
		}},
		{files.Info(), func(id probes.ID, params any, x X) (probes.Probe, error) {
			return files.New(x.Checkout, x.Evidence, id, *params.(*files.Params), x.Now), nil
		}},
		of(catalogue.Info(), func(p catalogue.Params, x X) probes.Probe {
			return catalogue.New(catalogue.Sources{Web: x.Web, Cluster: x.Cluster, Checkout: x.Checkout}, p)
		}),
		of(postgres.ReplicationInfo(), func(p postgres.ReplicationParams, x X) probes.Probe {
			return postgres.NewReplication(postgres.Sources{Objects: x.Cluster, Querier: x.Prometheus, Database: x.Postgres, At: x.PostgresAt}, p)
		}),
		of(command.Info(), func(p command.Params, x X) probes.Probe {
			return command.New(p, command.Options{ReadOnly: x.ReadOnly, Secrets: x.Secrets, Environ: x.Environ})
		}),
	}
}

// Kinds describes every kind of probe.
func Kinds() []probes.KindInfo {
	var infos []probes.KindInfo
	for _, k := range list() {
		infos = append(infos, k.info)
	}
	return infos
}

// Build returns the probe of a check over the connections of a platform. A check whose connection cannot be used gets a probe that says
// why. What a probe says holds no secret that was read by then.
func Build(c profile.Check, x *platform.Platform) (probes.Probe, error) {
	for _, k := range list() {
		if k.info.Name != c.Kind {
			continue
		}
		for _, connection := range k.info.ConnectionsOf(c.Params) {
			if err := x.Trouble(connection); err != nil {
				return probes.ProbeFunc(func(context.Context) (probes.Observation, error) { return probes.Observation{}, err }), nil
			}
		}
		p, err := k.build(c.Spec.ID, c.Params, x)
		if err != nil {
			return nil, err
		}
		return x.Mask.Wrap(p), nil
	}
	return nil, fmt.Errorf("there is no probe %q", c.Kind)
}
