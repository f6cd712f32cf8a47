package cluster

// ServiceTarget names a port of a Service.
type ServiceTarget struct{ Namespace, Name, Port, Scheme string }

type reach struct{}

func (r *reach) close() {}
