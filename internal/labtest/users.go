package labtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The users that every control plane has.
const (
	Admin     = "admin"     // may do everything
	Viewer    = "viewer"    // may get, list and watch everything, secrets included, and change nothing
	ProxyOnly = "proxyonly" // may get services/proxy, nothing else
	Forwarder = "forwarder" // may read pods and services, and create pods/portforward
	Outsider  = "outsider"  // has no rights beyond what every authenticated user has
)

// User is someone the API server knows by a token.
type User struct {
	Name   string
	Groups []string
	// Rules are what the user may do in the whole cluster.
	Rules []rbacv1.PolicyRule
	token string
}

// serverUsers are the servers' own names, so that the audit log tells them from
// the users of a test.
func serverUsers() []string {
	return []string{"lab:controller-manager", "lab:scheduler", "lab:kwok", "lab:velero", "lab:helper"}
}

// allUsers gives everyone a token.
func allUsers(extra []User) ([]User, error) {
	read := []string{"get", "list", "watch"}
	users := []User{
		{Name: Admin, Groups: []string{"system:masters"}},
		{Name: Viewer, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: read}, {NonResourceURLs: []string{"*"}, Verbs: []string{"get"}}}},
		{Name: ProxyOnly, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"services/proxy"}, Verbs: []string{"get"}}}},
		{Name: Forwarder, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "services"}, Verbs: read},
			{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"get", "create"}},
		}},
		{Name: Outsider},
	}
	for _, name := range serverUsers() {
		users = append(users, User{Name: name, Groups: []string{"system:masters"}})
	}
	users = append(users, extra...)
	seen := make(map[string]bool)
	for i := range users {
		if seen[users[i].Name] {
			return nil, fmt.Errorf("adding users: %q is there twice", users[i].Name)
		}
		seen[users[i].Name] = true
		users[i].token = rand.Text()
	}
	return users, nil
}

// tokenFile is the API server's static token file for the users.
func tokenFile(users []User) string {
	var text strings.Builder
	for _, u := range users {
		fmt.Fprintf(&text, "%s,%s,%s,%q\n", u.token, u.Name, u.Name, strings.Join(u.Groups, ","))
	}
	return text.String()
}

// grant gives the users the rights of their rules.
func (l *Lab) grant(ctx context.Context) error {
	for _, u := range l.users {
		if len(u.Rules) == 0 {
			continue
		}
		subject := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: u.Name}
		if err := l.bind(ctx, "lab:"+u.Name, subject, u.Rules); err != nil {
			return err
		}
	}
	return nil
}

// bind makes a cluster role and gives it to the subject.
func (l *Lab) bind(ctx context.Context, name string, subject rbacv1.Subject, rules []rbacv1.PolicyRule) error {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	if _, err := l.kube.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the cluster role %s: %w", name, err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{subject},
	}
	if _, err := l.kube.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the cluster role binding %s: %w", name, err)
	}
	return nil
}

// Token returns the token of one of the lab's users, or "" for an unknown one.
func (l *Lab) Token(user string) string {
	for _, u := range l.users {
		if u.Name == user {
			return u.token
		}
	}
	return ""
}

// ServiceAccount makes a service account, in a namespace that is made if it is
// missing, which may do what the rules say in the whole cluster, and returns a
// token of it that is valid for an hour.
func (l *Lab) ServiceAccount(ctx context.Context, namespace, name string, rules ...rbacv1.PolicyRule) (string, error) {
	if err := l.Namespace(ctx, namespace); err != nil {
		return "", err
	}
	accounts := l.kube.CoreV1().ServiceAccounts(namespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(ctx, account, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("creating the service account %s/%s: %w", namespace, name, err)
	}
	if len(rules) > 0 {
		subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
		if err := l.bind(ctx, "lab:"+namespace+":"+name, subject, rules); err != nil {
			return "", err
		}
	}
	answer, err := accounts.CreateToken(ctx, name, &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of the service account %s/%s: %w", namespace, name, err)
	}
	return answer.Status.Token, nil
}

// Namespace makes a namespace unless it is there, and waits until pods can be
// created in it.
func (l *Lab) Namespace(ctx context.Context, name string) error {
	if l.kube == nil {
		return errNoControlPlane
	}
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := l.kube.CoreV1().Namespaces().Create(ctx, object, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the namespace %s: %w", name, err)
	}
	return WaitFor(ctx, "waiting for the default service account of "+name, startLimit, retry, func(ctx context.Context) (bool, error) {
		_, err := l.kube.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
}

// AdminConfig is a client configuration that may do everything, without a client's
// own limits on speed. Every call returns a copy.
func (l *Lab) AdminConfig() *rest.Config { return l.Config(Admin) }

// Config is the client configuration of one of the lab's users; that of an unknown
// one is anonymous.
func (l *Lab) Config(user string) *rest.Config { return l.TokenConfig(l.Token(user)) }

// TokenConfig is a client configuration for a token. It verifies the API server's
// certificate.
func (l *Lab) TokenConfig(token string) *rest.Config {
	config := &rest.Config{Host: l.APIServer(), BearerToken: token, QPS: -1}
	if l.pki != nil {
		config.CAData = l.pki.caPEM
	}
	return config
}

// APIServer is the API server's base URL.
func (l *Lab) APIServer() string { return "https://" + loopback(l.apiPort) }

// Kubeconfig writes a kubeconfig for a token, whose context, cluster and user are
// called name, and returns its path. Token gives the tokens of the lab's users.
func (l *Lab) Kubeconfig(name, token string) (string, error) {
	if l.pki == nil {
		return "", errNoControlPlane
	}
	l.mu.Lock()
	l.files++
	path := filepath.Join(l.dir, fmt.Sprintf("kubeconfig-%d", l.files))
	l.mu.Unlock()
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: l.APIServer(), CertificateAuthorityData: l.pki.caPEM}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return path, nil
}
