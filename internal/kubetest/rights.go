package kubetest

import (
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// as is a client that acts as a user without any rights of its own.
func (s *suite) as(user string) kubernetes.Interface {
	s.Helper()
	cfg := rest.CopyConfig(s.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	return must(kubernetes.NewForConfig(cfg))(s)
}

func (s *suite) may(client kubernetes.Interface, a authorizationv1.ResourceAttributes) bool {
	s.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &a}}
	return must(client.AuthorizationV1().SelfSubjectAccessReviews().Create(s.ctx, review, metav1.CreateOptions{}))(s).Status.Allowed
}

func (s *suite) accessReviews() {
	ask := authorizationv1.ResourceAttributes{Verb: "delete", Resource: "pods", Namespace: s.ns}
	if !s.may(s.kube, ask) {
		s.Error("the administrator may not delete pods")
	}
	nobody := s.as("gonogo-contract-nobody")
	if s.may(nobody, ask) {
		s.Error("a user without rights may delete pods")
	}
	_, err := nobody.AuthorizationV1().SelfSubjectAccessReviews().Create(s.ctx, &authorizationv1.SelfSubjectAccessReview{}, metav1.CreateOptions{})
	s.code(err, 422)
	who := must(nobody.AuthenticationV1().SelfSubjectReviews().Create(s.ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}))(s)
	if who.Status.UserInfo.Username != "gonogo-contract-nobody" {
		s.Errorf("who am I: %+v", who.Status.UserInfo)
	}
	must(nobody.Discovery().ServerGroups())(s)
}

// forbidden wants the words that reports and hints are made from.
func (s *suite) forbidden() {
	name := "gonogo-contract-reader"
	reader := s.as(name)
	_, err := reader.CoreV1().Pods("").List(s.ctx, metav1.ListOptions{})
	s.refused(err, metav1.StatusReasonForbidden, `pods is forbidden: User "`+name+`" cannot list resource "pods" in API group "" at the cluster scope`)
	_, err = reader.AppsV1().Deployments(s.ns).Get(s.ctx, "x", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonForbidden, fmt.Sprintf(`deployments.apps "x" is forbidden: User %q cannot get resource "deployments" in API group "apps" in the namespace %q`, name, s.ns))
	_, err = reader.CoreV1().Nodes().List(s.ctx, metav1.ListOptions{})
	s.refused(err, metav1.StatusReasonForbidden, `nodes is forbidden: User "`+name+`" cannot list resource "nodes" in API group "" at the cluster scope`)
	err = s.proxied(reader, "http:x:80")
	s.refused(err, metav1.StatusReasonForbidden, fmt.Sprintf(`services "http:x:80" is forbidden: User %q cannot get resource "services/proxy" in API group "" in the namespace %q`, name, s.ns))
	err = reader.Discovery().RESTClient().Get().AbsPath("/metrics").Do(s.ctx).Error()
	s.refused(err, metav1.StatusReasonForbidden, `forbidden: User "`+name+`" cannot get path "/metrics"`)

	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "patch"}}},
	}
	must(s.kube.RbacV1().Roles(s.ns).Create(s.ctx, role, metav1.CreateOptions{}))(s)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: name, APIGroup: rbacv1.GroupName}},
		RoleRef:    rbacv1.RoleRef{Kind: "Role", Name: "reader", APIGroup: rbacv1.GroupName},
	}
	must(s.kube.RbacV1().RoleBindings(s.ns).Create(s.ctx, binding, metav1.CreateOptions{}))(s)
	s.eventually("the role takes effect", func() bool {
		return s.may(reader, authorizationv1.ResourceAttributes{Verb: "list", Resource: "configmaps", Namespace: s.ns})
	})
	must(reader.CoreV1().ConfigMaps(s.ns).List(s.ctx, metav1.ListOptions{}))(s)
	_, err = reader.CoreV1().ConfigMaps(s.ns).Watch(s.ctx, metav1.ListOptions{})
	s.refused(err, metav1.StatusReasonForbidden, fmt.Sprintf(`configmaps is forbidden: User %q cannot watch resource "configmaps" in API group "" in the namespace %q`, name, s.ns))
	_, err = reader.CoreV1().ConfigMaps("default").List(s.ctx, metav1.ListOptions{})
	s.refused(err, metav1.StatusReasonForbidden, "")
	// Applying what does not exist is a create.
	_, err = reader.CoreV1().ConfigMaps(s.ns).Apply(s.ctx, corev1ac.ConfigMap("x", s.ns), metav1.ApplyOptions{FieldManager: "reader"})
	s.refused(err, metav1.StatusReasonForbidden, fmt.Sprintf(`configmaps "x" is forbidden: User %q cannot create resource "configmaps" in API group "" in the namespace %q`, name, s.ns))
}

// proxied is the error of a GET through the service proxy. ProxyGet's own DoRaw does not read the
// Status that comes with a refusal.
func (s *suite) proxied(client kubernetes.Interface, service string) error {
	return client.CoreV1().RESTClient().Get().Namespace(s.ns).Resource("services").Name(service).
		SubResource("proxy").Suffix("-/ready").Do(s.ctx).Error()
}

func (s *suite) serviceProxy() {
	api := s.kube.CoreV1().Services(s.ns)
	s.refused(s.proxied(s.kube, "http:absent:80"), metav1.StatusReasonNotFound, `services "absent" not found`)
	must(api.Create(s.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "x"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "web", Port: 80}}},
	}, metav1.CreateOptions{}))(s)
	for port, want := range map[string]string{
		"80":  `no endpoints available for service "x"`,
		"web": `no endpoints available for service "x"`,
		"81":  `no service port 81 found for service "x"`,
	} {
		s.refused(s.proxied(s.kube, "http:x:"+port), metav1.StatusReasonServiceUnavailable, want)
	}
}
