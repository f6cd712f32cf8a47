package store

import (
	"github.com/254carbon/gonogo/probes"
)

// Mutation is one change to the store of a platform that is ready, and what checks must make of it.
type Mutation struct {
	Name, About string
	Harmless    bool
	Checks      []probes.ID // that must not pass
	Words       []string    // that the first of them must say, or why it could not be asked
	Apply       func(*Server) error
}

// Mutations lists the changes.
func Mutations() []Mutation {
	checks := []probes.ID{"backup-location"}
	bad := func(name, about string, words []string, apply func(*Server) error) Mutation {
		return Mutation{Name: name, About: about, Checks: checks, Words: words, Apply: apply}
	}
	const bucket, object = "254carbon-backups", "cluster-backups/backups/daily-backup-20251020020000/velero-backup.json"
	return []Mutation{
		bad("store-other-bucket", "The setup job made velero-backups, and the bucket in use does not exist.", []string{"bucket 254carbon-backups", "does not exist"},
			func(s *Server) error { return s.Fill("velero-backups", object) }),
		bad("store-empty", "The bucket is there, and nothing of the backups is in it.", []string{"empty"}, func(s *Server) error { return s.Fill(bucket) }),
		bad("store-other-prefix", "What is in the bucket is somebody else's.", []string{"empty under", "cluster-backups"},
			func(s *Server) error { return s.Fill(bucket, "loki/chunks/1") }),
		bad("store-denied", "gonogo's credential may not look into the bucket.", []string{"s3:ListBucket"}, func(s *Server) error {
			s.Deny(true)
			return nil
		}),
		{
			Name: "store-bucket-added", About: "Somebody has made the other bucket as well.", Harmless: true,
			Apply: func(s *Server) error { return s.Add("velero-backups") },
		},
	}
}
