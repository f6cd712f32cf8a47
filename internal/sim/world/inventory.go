package world

// Service is one of the platform's services and the workloads that make it up.
type Service struct {
	Name      string
	Workloads []Workload
}

// Workload is a workload as the platform declares it; Image is its repository, without tag.
type Workload struct{ Kind, Namespace, Name, Image string }

// Services are the nine services of the platform and its portal, in the order of their first workload.
func Services() []Service {
	var all []Service
	for _, a := range apps() {
		if a.service == "" {
			continue
		}
		i := len(all) - 1
		for ; i >= 0 && all[i].Name != a.service; i-- {
		}
		if i < 0 {
			all = append(all, Service{Name: a.service})
			i = len(all) - 1
		}
		all[i].Workloads = append(all[i].Workloads, Workload{Kind: a.kind, Namespace: a.namespace, Name: a.name, Image: repositoryOf(a.image)})
	}
	return all
}
