package edge

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// The keys live as long as the process: making one takes longer than everything else that a simulated platform does at its start.
var (
	teamKey     = sync.OnceValue(func() jose.JSONWebKey { return newKey("simulated-team-0001") })
	strangerKey = sync.OnceValue(func() jose.JSONWebKey { return newKey("simulated-team-0001") })
)

func newKey(id string) jose.JSONWebKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("making a key for the simulated team: " + err.Error()) // without randomness nothing works
	}
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}
}

// public is the set that a team publishes.
func public(key jose.JSONWebKey) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
}

// sign makes a signed statement of claims.
func sign(key jose.JSONWebKey, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return ""
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return ""
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return ""
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return ""
	}
	return compact
}
