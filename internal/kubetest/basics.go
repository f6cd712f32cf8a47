package kubetest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

func (s *suite) discovery() {
	disco := s.kube.Discovery()
	if v := must(disco.ServerVersion())(s); !strings.HasPrefix(v.GitVersion, "v1.") {
		s.Errorf("version %q, want v1.…", v.GitVersion)
	}
	groups := must(disco.ServerGroups())(s)
	found := map[string]string{}
	for _, g := range groups.Groups {
		found[g.Name] = g.PreferredVersion.Version
	}
	for _, want := range []string{"", "apps", "batch", "autoscaling", "policy", "coordination.k8s.io", "discovery.k8s.io", "authorization.k8s.io"} {
		if found[want] == "" {
			s.Errorf("group %q is not served", want)
		}
	}
	list := must(disco.ServerResourcesForGroupVersion("v1"))(s)
	for name, namespaced := range map[string]bool{"configmaps": true, "nodes": false, "services/proxy": true} {
		ok := false
		for _, r := range list.APIResources {
			ok = ok || r.Name == name && r.Namespaced == namespaced
		}
		if !ok {
			s.Errorf("resource %s (namespaced %v) is not in v1", name, namespaced)
		}
	}
	if _, err := disco.ServerResourcesForGroupVersion("nothing.example.com/v1"); err == nil {
		s.Error("a group that does not exist was found")
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	m := must(mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "v1"))(s)
	if m.Resource.Resource != "deployments" {
		s.Errorf("Deployment is %s", m.Resource)
	}
}

func (s *suite) health() {
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if body := must(s.kube.Discovery().RESTClient().Get().AbsPath(path).DoRaw(s.ctx))(s); string(body) != "ok" {
			s.Errorf("%s says %q, want ok", path, body)
		}
	}
	body := must(s.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Param("verbose", "true").DoRaw(s.ctx))(s)
	if !strings.Contains(string(body), "[+]etcd ok") {
		s.Errorf("/readyz?verbose says %q, want it to name etcd", body)
	}
}

func (s *suite) refusals() {
	client := s.kube.CoreV1().RESTClient()
	configMaps := "/api/v1/namespaces/" + s.ns + "/configmaps"
	for _, tc := range []struct {
		name string
		req  *rest.Request
		code int32
	}{
		{"unknown resource", client.Get().AbsPath("/api/v1/nothings"), 404},
		{"unknown version", client.Get().AbsPath("/apis/apps/v9/deployments"), 404},
		{"unknown subresource", client.Get().AbsPath(configMaps + "/x/nothing"), 404},
		{"post to an object", client.Post().AbsPath(configMaps + "/x").Body([]byte("{}")), 405},
		{"post across namespaces", client.Post().AbsPath("/api/v1/configmaps").Body([]byte("{}")), 405},
		{"no JSON", client.Post().AbsPath(configMaps).SetHeader("Content-Type", "application/json").Body([]byte("{")), 400},
		{"wrong types", client.Post().AbsPath(configMaps).SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":{}}}`)), 400},
		{"another kind", client.Post().AbsPath(configMaps).SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`)), 400},
		{"another namespace", client.Post().AbsPath(configMaps).SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"elsewhere"}}`)), 400},
		{"unknown media type", client.Post().AbsPath(configMaps).SetHeader("Content-Type", "text/csv").Body([]byte("a,b")), 415},
		{"unknown patch type", client.Patch("application/x-patch").AbsPath(configMaps + "/x").Body([]byte("{}")), 415},
		{"bad label selector", client.Get().AbsPath(configMaps).Param("labelSelector", "a in ("), 400},
		{"bad field selector", client.Get().AbsPath(configMaps).Param("fieldSelector", "data.a=1"), 400},
		{"bad continue token", client.Get().AbsPath(configMaps).Param("limit", "1").Param("continue", "@@"), 400},
	} {
		err := tc.req.Do(s.ctx).Error()
		if err == nil {
			s.Errorf("%s: no error, want %d", tc.name, tc.code)
			continue
		}
		s.Log(tc.name, "-", err)
		s.code(err, tc.code)
	}
}

func (s *suite) create() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	cm := must(api.Create(s.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "made-", UID: "mine", Labels: map[string]string{"a": "b"}},
		Data:       map[string]string{"k": "v"},
	}, metav1.CreateOptions{}))(s)
	if !strings.HasPrefix(cm.Name, "made-") || len(cm.Name) != len("made-")+5 {
		s.Errorf("generated name %q", cm.Name)
	}
	if cm.UID == "" || cm.UID == "mine" || cm.ResourceVersion == "" || cm.CreationTimestamp.IsZero() || cm.Namespace != s.ns {
		s.Errorf("the server did not set uid, resourceVersion, creationTimestamp or namespace: %+v", cm.ObjectMeta)
	}
	got := must(api.Get(s.ctx, cm.Name, metav1.GetOptions{}))(s)
	if got.Data["k"] != "v" || got.Labels["a"] != "b" || got.UID != cm.UID || got.ResourceVersion != cm.ResourceVersion {
		s.Errorf("got %+v, created %+v", got, cm)
	}
	_, err := api.Create(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: cm.Name}}, metav1.CreateOptions{})
	s.refused(err, metav1.StatusReasonAlreadyExists, `configmaps "`+cm.Name+`" already exists`)
	_, err = api.Get(s.ctx, "absent", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, `configmaps "absent" not found`)
	_, err = api.Create(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Not_A_Name"}}, metav1.CreateOptions{})
	s.refused(err, metav1.StatusReasonInvalid, "")
	missing := s.kube.CoreV1().ConfigMaps("gonogo-contract-absent")
	_, err = missing.Create(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	s.refused(err, metav1.StatusReasonNotFound, `namespaces "gonogo-contract-absent" not found`)
	if list := must(missing.List(s.ctx, metav1.ListOptions{}))(s); len(list.Items) != 0 || list.ResourceVersion == "" {
		s.Errorf("listing in a namespace that does not exist: %+v", list)
	}
	ns := must(s.kube.CoreV1().Namespaces().Get(s.ctx, s.ns, metav1.GetOptions{}))(s)
	if ns.Status.Phase != corev1.NamespaceActive || ns.Labels["kubernetes.io/metadata.name"] != s.ns {
		s.Errorf("new namespace: %+v", ns)
	}
}

func (s *suite) update() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	first := s.configMap("x", map[string]string{"a": "1"})
	edit := first.DeepCopy()
	edit.Data["a"] = "2"
	second := must(api.Update(s.ctx, edit, metav1.UpdateOptions{}))(s)
	if second.ResourceVersion == first.ResourceVersion || second.UID != first.UID || second.Data["a"] != "2" {
		s.Errorf("after the update: %+v", second)
	}
	stale := first.DeepCopy()
	stale.Data["a"] = "3"
	_, err := api.Update(s.ctx, stale, metav1.UpdateOptions{})
	s.refused(err, metav1.StatusReasonConflict, `Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to the latest version and try again`)
	same := must(api.Update(s.ctx, second, metav1.UpdateOptions{}))(s)
	if same.ResourceVersion != second.ResourceVersion {
		s.Errorf("an update that changes nothing went from version %s to %s", second.ResourceVersion, same.ResourceVersion)
	}
	blind := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Data: map[string]string{"b": "1"}}
	if got := must(api.Update(s.ctx, blind, metav1.UpdateOptions{}))(s); got.Data["a"] != "" || got.Data["b"] != "1" || got.UID != first.UID {
		s.Errorf("after an update without resourceVersion: %+v", got)
	}
	absent := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "absent"}}
	_, err = api.Update(s.ctx, absent, metav1.UpdateOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")
}

// protobuf writes and reads with clients set up for protobuf, as production's are.
func (s *suite) protobuf() {
	cfg := rest.CopyConfig(s.cfg)
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	api := must(kubernetes.NewForConfig(cfg))(s).CoreV1().ConfigMaps(s.ns)
	cm := must(api.Create(s.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "x"}, Data: map[string]string{"k": "v"},
	}, metav1.CreateOptions{}))(s)
	cm.Data["k"] = "w"
	cm = must(api.Update(s.ctx, cm, metav1.UpdateOptions{}))(s)
	list := must(api.List(s.ctx, metav1.ListOptions{FieldSelector: "metadata.name=x"}))(s)
	if len(list.Items) != 1 || list.Items[0].Data["k"] != "w" || list.Items[0].UID != cm.UID {
		s.Errorf("listed %+v", list.Items)
	}
	wrong := metav1.NewUIDPreconditions("another")
	s.refused(api.Delete(s.ctx, "x", metav1.DeleteOptions{Preconditions: wrong}), metav1.StatusReasonConflict, "")
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{}))
	_, err := api.Get(s.ctx, "x", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, `configmaps "x" not found`)
}
