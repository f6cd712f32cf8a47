package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/254carbon/gonogo/probes"
)

// Info says which cluster a configuration leads to.
type Info struct {
	Server     string // the API server's URL
	Context    string // of the kubeconfig; empty in a cluster
	Cluster    string // its name in the kubeconfig
	User       string // its name in the kubeconfig
	Namespace  string // the context's default namespace, "default" if it names none
	InCluster  bool   // the configuration is the pod's own
	Kubeconfig string // the file that was named, empty for the usual ones
	explicit   bool   // the context was named rather than current
}

// kubectl is the command that reaches the same cluster.
func (i Info) kubectl() string {
	command := "kubectl"
	if i.Kubeconfig != "" {
		command += " --kubeconfig=" + probes.ShellWord(i.Kubeconfig)
	}
	if i.explicit {
		command += " --context=" + probes.ShellWord(i.Context)
	}
	return command
}

// LoadConfig finds out how to reach a cluster as kubectl does: the kubeconfig file that is named, else those of KUBECONFIG, else the one in
// the home folder, with the context that is named or else the current one; where there is none of them, the pod's own service account.
// Credential plug-ins and proxies work as the files say. Nothing is sent anywhere. Errors are one sentence for whoever has to mend it.
func LoadConfig(kubeconfig, context string) (*rest.Config, Info, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	rules.Warner = func(error) {} // files of KUBECONFIG that do not exist are none
	from := "the kubeconfig"
	if kubeconfig != "" {
		from = "kubeconfig " + kubeconfig
	}
	raw, err := rules.Load()
	if err != nil {
		return nil, Info{}, fmt.Errorf("reading %s: %w", from, shortPathError(kubeconfig, err))
	}
	if kubeconfig == "" && context == "" && api.IsConfigEmpty(raw) {
		return inCluster()
	}
	info := Info{Context: context, Kubeconfig: kubeconfig, explicit: context != ""}
	if context == "" {
		info.Context = raw.CurrentContext
	}
	if info.Context == "" && len(raw.Contexts) > 0 {
		return nil, Info{}, fmt.Errorf("%s has no current context: name one of %s", from, names(raw.Contexts))
	}
	if raw.Contexts[info.Context] == nil {
		if len(raw.Contexts) == 0 {
			return nil, Info{}, fmt.Errorf("%s has no contexts", from)
		}
		return nil, Info{}, fmt.Errorf("%s has no context %q: it has %s", from, probes.Clean(info.Context, 100), names(raw.Contexts))
	}
	noTerminal(raw)
	overrides := &clientcmd.ConfigOverrides{CurrentContext: info.Context}
	loaded := clientcmd.NewNonInteractiveClientConfig(*raw, info.Context, overrides, rules)
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, Info{}, fmt.Errorf("using context %q of %s: %w", info.Context, from, err)
	}
	info.Server, info.Cluster, info.User = config.Host, raw.Contexts[info.Context].Cluster, raw.Contexts[info.Context].AuthInfo
	if info.Namespace = raw.Contexts[info.Context].Namespace; info.Namespace == "" {
		info.Namespace = "default"
	}
	return config, info, nil
}

// noTerminal tells credential plug-ins that there is nobody to type an answer: the terminal is the board's.
func noTerminal(raw *api.Config) {
	for _, user := range raw.AuthInfos {
		if user.Exec != nil {
			user.Exec.StdinUnavailable = true
			user.Exec.StdinUnavailableMessage = "the terminal is in use: log in with the plug-in by hand first"
		}
	}
}

func inCluster() (*rest.Config, Info, error) {
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, Info{}, errors.New("no Kubernetes cluster is configured: there is no kubeconfig (KUBECONFIG, ~/.kube/config), and this is no pod")
	}
	if err != nil {
		return nil, Info{}, fmt.Errorf("using the pod's service account: %w", err)
	}
	return config, Info{Server: config.Host, InCluster: true, Namespace: "default"}, nil
}

// names lists contexts, not too many of them.
func names(contexts map[string]*api.Context) string {
	const most = 12
	all := slices.Sorted(maps.Keys(contexts))
	shown := all[:min(len(all), most)]
	for i := range shown {
		shown[i] = probes.Clean(shown[i], 100)
	}
	text := strings.Join(shown, ", ")
	if more := len(all) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// shortPathError drops the path, which the sentence around it has already said.
func shortPathError(path string, err error) error {
	var known *fs.PathError
	if errors.As(err, &known) {
		return known.Err
	}
	text := err.Error()
	for _, prefix := range []string{fmt.Sprintf("error loading config file %q: ", path), "read " + path + ": ", "open " + path + ": "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return errors.New(text)
}
