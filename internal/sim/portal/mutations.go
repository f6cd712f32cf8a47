package portal

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Mutation is one change to the list of a platform that is ready, and what checks must make of it.
type Mutation struct {
	Name, About string
	Harmless    bool
	Checks      []probes.ID // that must not pass
	Words       []string    // that the first of them must say
	Apply       func(*Server)
}

type service = map[string]any

// edited makes a change to the services of the list.
func edited(change func([]service) []service) func(*Server) {
	return func(s *Server) {
		var list struct {
			Services []service `json:"services"`
		}
		if err := json.Unmarshal([]byte(catalogue), &list); err != nil {
			panic("portal: " + err.Error()) // of the text above
		}
		list.Services = change(list.Services)
		text, err := json.Marshal(list)
		if err != nil {
			panic("portal: " + err.Error())
		}
		s.Set(string(text))
	}
}

func called(list []service, id string) service {
	return list[slices.IndexFunc(list, func(s service) bool { return s["id"] == id })]
}

// Mutations lists the changes.
func Mutations() []Mutation {
	checks := []probes.ID{"catalogue-complete"}
	bad := func(name, about string, words []string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Checks: checks, Words: words, Apply: apply}
	}
	fine := func(name, about string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: apply}
	}
	return []Mutation{
		bad("catalogue-without-descriptions", "The list is the one of the platform's repository, which has never had descriptions.", []string{"no description", "and 6 more"},
			edited(func(list []service) []service {
				for _, s := range list {
					delete(s, "description")
				}
				return list
			})),
		bad("catalogue-lacks-one", "lakeFS is not in the list, and something else is.", []string{"lakefs"}, edited(func(list []service) []service {
			s := called(list, "lakefs")
			s["id"], s["url"] = "mlflow", "https://mlflow.254carbon.com"
			return list
		})),
		bad("catalogue-empty-icon", "One icon is a blank.", []string{"no icon: trino"}, edited(func(list []service) []service {
			called(list, "trino")["icon"] = " "
			return list
		})),
		bad("catalogue-twice", "One service is in the list twice.", []string{"more than one", "vault"}, edited(func(list []service) []service {
			return append(list, called(list, "vault"))
		})),
		bad("catalogue-local-host", "One URL leads to a host that only a workstation knows.", []string{"superset leads to superset.local"}, edited(func(list []service) []service {
			called(list, "superset")["url"] = "https://superset.local"
			return list
		})),
		bad("catalogue-plain-http", "One URL is not https.", []string{"minio", "not https"}, edited(func(list []service) []service {
			called(list, "minio")["url"] = "http://minio.254carbon.com"
			return list
		})),
		bad("catalogue-garbage", "The portal serves a page instead of the list.", []string{"not JSON"}, func(s *Server) {
			s.Set(`<!doctype html><title>"grafana"</title>`)
		}),
		fine("catalogue-as-array", "The list is an array at its top, as other generators write it.", func(s *Server) {
			s.Set(strings.TrimSuffix(strings.TrimPrefix(catalogue, `{"services":`), "}"))
		}),
		fine("catalogue-extra", "Five more services are in the list, and fields that nobody asks for.", edited(func(list []service) []service {
			for _, id := range []string{"mlflow", "spark-history", "kiali", "jaeger", "kong"} {
				list = append(list, service{
					"id": id, "name": id, "category": "ML", "icon": "dot", "description": "More", "url": "https://" + id + ".254carbon.com", "healthPath": "/", "public": false,
				})
			}
			return list
		})),
		fine("catalogue-id-of-the-portal", "DolphinScheduler is listed by the id that the portal's source has for it.", edited(func(list []service) []service {
			called(list, "dolphinscheduler")["id"] = "dolphin"
			return list
		})),
	}
}
