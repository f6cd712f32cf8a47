package probes

// Declared is what a profile declares at its top, once, for all checks that are about it.
type Declared struct {
	Services []Service
	Images   []Image
	Exempt   []Exemption
}

// Declaring is what the parameters of a kind implement if its question is about what the profile declares: Declare is called with it after
// the parameters were read and before they are validated, on the pointer that [KindInfo].Params returned. What it keeps stands in fields
// tagged yaml:"-", so that no profile repeats it, and is not changed later: another declaration comes with other parameters.
type Declaring interface {
	Declare(Declared)
}

// Service is a declared service of the platform.
type Service struct {
	ID        ID
	Name      string
	Kind      string // of the workload whose pods serve it: Deployment, StatefulSet, DaemonSet
	Namespace string
	Workload  string
	Image     string // repository that its pods must run, without a tag
	Health    string // URL inside the cluster that only the real program answers
	Host      string // public host name
	Protected bool   // whether its host must ask for a login
	Mirror    string // key of its image among the images, if it is to be mirrored
}

// Image is an image that must be mirrored.
type Image struct {
	Key    string // name of the mirrored repository within the project
	Source string // reference of the original
	Digest string // locked digest; empty if none is
}

// Exemption is a group of images that need no mirror; in Image, * stands for any text.
type Exemption struct{ Image, Reason string }
