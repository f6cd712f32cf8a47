package harbor

import (
	"fmt"
	"slices"
	"time"

	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
)

// Account is a user name and password.
type Account struct{ Username, Password string }

// Accounts are the credentials that exist in a scenario.
type Accounts struct {
	Reader   Account // the robot that gonogo itself reads with
	Platform Account // what the platform pushes with; in the scenario documented this password is not the robot's
	Admin    Account
}

// The user names of the scenarios.
const (
	ReaderRobot   = "robot$gonogo-reader"
	PlatformRobot = "robot$gonogo"
	MirrorRobot   = "robot$254carbon+mirror" // that images are to be mirrored with
	Administrator = "admin"
)

// DemoAccounts are accounts with passwords that protect nothing: they exist in a simulation alone.
func DemoAccounts() Accounts {
	return Accounts{
		Reader:   Account{Username: ReaderRobot, Password: "Reader-of-a-simulated-Harbor-1"},
		Platform: Account{Username: PlatformRobot, Password: "Pusher-of-a-simulated-Harbor-1"},
		Admin:    Account{Username: Administrator, Password: "Admin-of-a-simulated-Harbor-1"},
	}
}

// The projects of the scenarios.
const (
	PublicProject   = "library"
	PlatformProject = "254carbon"
)

// mirror returns the rights that the mirror of images needs.
func mirror() []string {
	return []string{"repository:push", "repository:pull", "artifact:read", "artifact:list", "tag:list", "tag:create"}
}

// quotaOfProject is what the platform's project may store.
const quotaOfProject = 500 << 30

// Documented is the state that the platform's status document describes: a healthy Harbor with two projects, no robot for the mirror, not
// one artifact, and a credential that does not log in.
func Documented(now time.Time, accounts Accounts) State {
	s := Ready(now, accounts)
	s.Robot(PlatformRobot).Secret = "Another-secret-than-the-platform-has-1"
	s.Robots = slices.DeleteFunc(s.Robots, func(r Robot) bool { return r.Login() == MirrorRobot })
	s.Artifacts, s.Quota(PlatformProject).Used = nil, 0
	return s
}

// AsFound is the state that the evidence of the same day shows: projects and a robot that works, not one artifact, and /v2/ at the host
// leading to the registry behind Harbor, where nobody's password is known.
func AsFound(now time.Time, accounts Accounts) State {
	s := Documented(now, accounts)
	s.Robot(PlatformRobot).Secret = accounts.Platform.Password
	s.InternalDoor = true
	return s
}

// Ready is the state in which every claim about Harbor's doors and credentials holds.
func Ready(now time.Time, accounts Accounts) State {
	s := State{Version: "v2.16.0-c50c7ddd", NextID: 1}
	for _, name := range []string{"core", "database", "jobservice", "portal", "redis", "registry", "registryctl", "trivy"} {
		s.Components = append(s.Components, Component{Name: name})
	}
	s.Users = []User{{ID: 1, Name: accounts.Admin.Username, Password: accounts.Admin.Password, Admin: true}}
	created := time.Date(2025, time.October, 20, 15, 24, 39, 0, time.UTC)
	if created.After(now) {
		created = now.Add(-time.Hour)
	}
	s.AddProject(PublicProject, true, created)
	s.AddProject(PlatformProject, false, created)
	s.AddRobot(PlatformProject, "robot-ci", "Robot-of-a-simulated-pipeline-1", created, In(PlatformProject, "repository:pull", "repository:push"))
	s.AddRobot("", "gonogo-reader", accounts.Reader.Password, created,
		OfSystem("project:list", "registry:list", "quota:list", "quota:read", "robot:list", "robot:read"),
		In("*", "project:read", "repository:list", "repository:read", "repository:pull", "artifact:list", "artifact:read", "tag:list", "quota:read",
			"metadata:list", "scan:read", "robot:list", "robot:read"))
	s.AddRobot("", "gonogo", accounts.Platform.Password, created, In(PlatformProject, mirror()...))
	pusher := s.AddRobot(PlatformProject, "mirror", "Mirror-of-a-simulated-platform-1", created, In(PlatformProject, mirror()...))
	pusher.Duration, pusher.Expires = 90, created.AddDate(0, 0, 90).Unix()
	s.Quota(PlatformProject).Hard = quotaOfProject
	for _, image := range oci.Images() {
		s.Push(PlatformProject+"/"+image.Key, image.Tag(), oci.Digest(image.Source), created)
	}
	return s
}

// Mutation is one change to a Harbor that is ready, and what checks must make of it.
type Mutation struct {
	Name     string
	About    string
	Harmless bool        // no check may fail
	Checks   []probes.ID // of the built-in profile that must not pass
	Words    []string    // that the first of Checks must say in its summary
	Apply    func(s *Server)
}

// Mutations lists the changes.
func Mutations() []Mutation {
	const (
		health      = probes.ID("harbor-healthy")
		door        = probes.ID("harbor-door")
		credentials = probes.ID("harbor-credentials")
		account     = probes.ID("harbor-robot")
	)
	var all []Mutation
	add := func(name, about string, check probes.ID, words []string, change func(s *State, now time.Time)) {
		all = append(all, Mutation{
			Name: name, About: about, Checks: []probes.ID{check}, Words: words,
			Apply: func(server *Server) { server.Change(func(s *State) { change(s, server.now()) }) },
		})
	}
	robot := func(change func(r *Robot, now time.Time)) func(*State, time.Time) {
		return func(s *State, now time.Time) { change(s.Robot(PlatformRobot), now) }
	}
	for _, t := range componentTroubles() {
		name, trouble, word := t[0], t[1], t[2]
		add("harbor-"+name+"-unhealthy", "Harbor's "+name+" is unhealthy, which Harbor says with status 200.", health, []string{name, word},
			func(s *State, _ time.Time) { s.Component(name).Error = trouble })
	}
	add("harbor-component-gone", "Harbor runs without its job service.", health, []string{"jobservice", "not listed"}, func(s *State, _ time.Time) {
		var rest []Component
		for _, c := range s.Components {
			if c.Name != "jobservice" {
				rest = append(rest, c)
			}
		}
		s.Components = rest
	})
	add("harbor-wrong-door", "The route of /v2/ leads to the internal registry.", door, []string{"internal registry"},
		func(s *State, _ time.Time) { s.InternalDoor = true })
	add("harbor-password-changed", "Somebody gave the robot a new secret.", credentials, []string{"does not accept", "password is wrong"},
		robot(func(r *Robot, _ time.Time) { r.Secret = "Somebody-changed-this-1" }))
	add("harbor-robot-disabled", "The platform's robot is disabled.", credentials, []string{"does not accept", "disabled"},
		robot(func(r *Robot, _ time.Time) { r.Disabled = true }))
	add("harbor-robot-expired", "The platform's robot expired yesterday.", credentials, []string{"does not accept", "expired"},
		robot(func(r *Robot, now time.Time) { r.Duration, r.Expires = 30, now.Add(-24*time.Hour).Unix() }))
	add("harbor-robot-deleted", "The platform's robot was deleted.", credentials, []string{"does not accept", "no robot account"},
		robot(func(r *Robot, _ time.Time) { r.Name = "somebody-else" }))
	add("harbor-robot-read-only", "The platform's robot may pull but not push.", credentials, []string{"may not push", "only pull"},
		robot(func(r *Robot, _ time.Time) {
			r.Permissions = []Permission{In(PlatformProject, "repository:pull", "artifact:read")}
		}))
	add("harbor-robot-of-another-project", "The platform's robot may push, but to another project.", credentials, []string{"may not push"},
		robot(func(r *Robot, _ time.Time) { r.Permissions = []Permission{In(PublicProject, mirror()...)} }))
	add("harbor-project-missing", "The project was deleted.", credentials, []string{PlatformProject, "does not exist"}, func(s *State, _ time.Time) {
		s.Project(PlatformProject).Name = "254carbon-old"
	})
	add("harbor-project-is-a-cache", "The project caches Docker Hub and takes no pushes.", credentials, []string{"caches another registry"},
		func(s *State, _ time.Time) { s.Project(PlatformProject).Registry = 7 })
	pusher := func(change func(r *Robot, now time.Time)) func(*State, time.Time) {
		return func(s *State, now time.Time) { change(s.Robot(MirrorRobot), now) }
	}
	add("harbor-mirror-robot-deleted", "The robot of the mirror was deleted.", account, []string{"no robot account", MirrorRobot}, func(s *State, _ time.Time) {
		s.Robots = slices.DeleteFunc(s.Robots, func(r Robot) bool { return r.Login() == MirrorRobot })
	})
	add("harbor-mirror-robot-disabled", "The robot of the mirror is disabled.", account, []string{MirrorRobot, "is disabled"},
		pusher(func(r *Robot, _ time.Time) { r.Disabled = true }))
	add("harbor-mirror-robot-expires", "The robot of the mirror expires in nine days.", account, []string{MirrorRobot, "in 9 days"},
		pusher(func(r *Robot, now time.Time) { r.Expires = now.Add(9*24*time.Hour + time.Hour).Unix() }))
	add("harbor-mirror-robot-expired", "The robot of the mirror expired yesterday.", account, []string{MirrorRobot, "expired on"},
		pusher(func(r *Robot, now time.Time) { r.Expires = now.Add(-24 * time.Hour).Unix() }))
	add("harbor-mirror-robot-without-expiry", "The robot of the mirror has no time of expiry, which is not never.", account, []string{"expires_at is 0"},
		pusher(func(r *Robot, _ time.Time) { r.Expires = 0 }))
	add("harbor-mirror-robot-read-only", "The robot of the mirror may pull but not push.", account, []string{"may not push", "only pull"},
		pusher(func(r *Robot, _ time.Time) { r.Permissions = []Permission{In(PlatformProject, "repository:pull")} }))
	add("harbor-mirror-robot-of-the-system", "A robot of the same name exists, but of the system.", account, []string{"no robot account", MirrorRobot},
		pusher(func(r *Robot, _ time.Time) { r.Name, r.Level, r.ProjectID = "mirror", "system", 0 }))
	add("harbor-quota-used-up", "The project has stored all that it may.", account, []string{"quota", "no room left"}, func(s *State, _ time.Time) {
		s.Quota(PlatformProject).Used = quotaOfProject
	})
	return slices.Concat(all, imageMutations(), harmless())
}

// componentTroubles returns errors as Harbor reports them, each with a word that must survive.
func componentTroubles() [][3]string {
	return [][3]string{
		{"core", `Get "http://harbor-core:80/api/v2.0/ping": context deadline exceeded`, "deadline"},
		{"portal", `Get "http://harbor-portal:80": dial tcp 10.43.2.11:80: connect: connection refused`, "refused"},
		{"jobservice", `Get "http://harbor-jobservice:80/api/v1/stats": dial tcp: i/o timeout`, "timeout"},
		{"registry", `Get "http://harbor-registry:5000/": dial tcp 10.43.9.1:5000: connect: no route to host`, "no route"},
		{"registryctl", `Get "http://harbor-registry:8080/api/health": EOF`, "EOF"},
		{"database", "failed to connect to database: pq: the database system is shutting down", "shutting down"},
		{"redis", "dial tcp 10.43.0.6:6379: connect: connection refused", "refused"},
		{"trivy", `Get "http://harbor-trivy:8080/probe/healthy": server misbehaving`, "misbehaving"},
	}
}

func harmless() []Mutation {
	add := func(name, about string, change func(s *State, now time.Time)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: func(server *Server) {
			server.Change(func(s *State) { change(s, server.now()) })
		}}
	}
	return []Mutation{
		add("harbor-more-robots", "Other robots come, one of them disabled.", func(s *State, now time.Time) {
			for i := range 12 {
				s.AddRobot("", fmt.Sprintf("other-%d", i), "Other-robot-1", now, OfSystem("project:list")).Disabled = i == 3
			}
		}),
		add("harbor-robots-on-two-pages", "The mirror's robot is the last of 130 in its project, and never expires.", func(s *State, now time.Time) {
			last := *s.Robot(MirrorRobot)
			s.Robots = slices.DeleteFunc(s.Robots, func(r Robot) bool { return r.ID == last.ID })
			for i := range 129 {
				s.AddRobot(PlatformProject, fmt.Sprintf("pipeline-%d", i), "Pipeline-robot-1", now, In(PlatformProject, "repository:pull"))
			}
			last.Duration, last.Expires = -1, -1
			s.Robots = append(s.Robots, last)
		}),
		add("harbor-without-quota", "The project may store without limit.", func(s *State, _ time.Time) { s.Quota(PlatformProject).Hard = -1 }),
		add("harbor-without-trivy", "Harbor runs without the optional scanner.", func(s *State, _ time.Time) {
			s.Components = s.Components[:len(s.Components)-1]
		}),
		add("harbor-more-rights", "The platform's robot may more than it needs.", func(s *State, _ time.Time) {
			r := s.Robot(PlatformRobot)
			r.Permissions = []Permission{In("*", append([]string{"repository:delete"}, mirror()...)...)}
		}),
	}
}
