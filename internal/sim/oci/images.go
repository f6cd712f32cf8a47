// Package oci makes the images of the simulated platform: small, real, of two platforms, and the same every time, so that a digest means the
// same in its registries, on its nodes and in the lock of its profile. Its registries speak the protocol of the real ones.
package oci

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is an image that the platform wants in its own registry: its name there within the project, and the reference of the original.
type Image struct{ Key, Source string }

// Tag is the tag of the original, which the mirrored one has too.
func (i Image) Tag() string { return i.Source[strings.LastIndex(i.Source, ":")+1:] }

// Images lists them: 33. The list is shared and must not be changed.
var Images = sync.OnceValue(func() []Image {
	var all []Image
	for line := range strings.SplitSeq(strings.TrimSpace(images), "\n") {
		key, source, _ := strings.Cut(line, " ")
		all = append(all, Image{key, source})
	}
	return all
})

const images = `
nginx-ingress registry.k8s.io/ingress-nginx/controller:v1.8.1
cert-manager quay.io/jetstack/cert-manager-controller:v1.13.0
cert-manager-webhook quay.io/jetstack/cert-manager-webhook:v1.13.0
cert-manager-cainjector quay.io/jetstack/cert-manager-cainjector:v1.13.0
prometheus prom/prometheus:v2.48.0
grafana grafana/grafana:10.2.0
loki grafana/loki:2.9.3
promtail grafana/promtail:2.9.3
alertmanager prom/alertmanager:v0.26.0
doris amd64/doris:2.0.0
trino trinodb/trino:424
superset apache/superset:4.0.1
datahub linkedin/datahub-gms:v0.12.0
minio minio/minio:RELEASE.2024-01-11T08-13-15Z
minio-mc minio/mc:RELEASE.2024-01-11T03-23-48Z
vault hashicorp/vault:1.15.0
postgres postgres:15.5
redis redis:7.2
kafka confluentinc/cp-kafka:7.5.0
zookeeper confluentinc/cp-zookeeper:7.5.0
schema-registry confluentinc/cp-schema-registry:7.5.0
elasticsearch docker.elastic.co/elasticsearch/elasticsearch:8.10.2
kibana docker.elastic.co/kibana/kibana:8.10.2
dolphinscheduler apache/dolphinscheduler:3.1.5
spark bitnami/spark:3.5.0
flink flink:1.17.1
seatunnel apache/seatunnel:2.3.4
iceberg-rest ghcr.io/tabulario/iceberg-rest:0.6.0
lakefs treeverse/lakefs:v1.26.0
hudi ghcr.io/apache/hudi:hudi-0.13.0
busybox busybox:latest
curl curlimages/curl:latest
alpine alpine:latest`

// whole is an image with everything that it is made of.
type whole struct {
	digest    string
	index     []byte
	manifests [][]byte // by platform
	blobs     [][]byte
}

// built are the images that were asked for, by source.
var built sync.Map

// Digest is the digest of the image of a source.
func Digest(source string) string { return image(source).digest }

// image returns the image of a source, made once.
func image(source string) *whole {
	if known, ok := built.Load(source); ok {
		return known.(*whole)
	}
	known, _ := built.LoadOrStore(source, build(source))
	return known.(*whole)
}

// build makes an image of two platforms, each with a layer that says what it is.
func build(source string) *whole {
	w := new(whole)
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, architecture := range []string{"amd64", "arm64"} {
		packed, unpacked := layer("etc/image", source+" for linux/"+architecture+"\n")
		config := v1.ConfigFile{OS: "linux", Architecture: architecture, Config: v1.Config{Entrypoint: []string{"/etc/image"}}}
		config.RootFS = v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{sum(unpacked)}}
		text := encode(config)
		manifest := encode(v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: describe(types.OCIConfigJSON, text),
			Layers: []v1.Descriptor{describe(types.OCILayer, packed)},
		})
		part := describe(types.OCIManifestSchema1, manifest)
		part.Platform = &v1.Platform{OS: "linux", Architecture: architecture}
		index.Manifests = append(index.Manifests, part)
		w.manifests, w.blobs = append(w.manifests, manifest), append(w.blobs, packed, text)
	}
	w.index = encode(index)
	w.digest = sum(w.index).String()
	return w
}

// encode writes a value of a type that always can be written.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("writing a part of an image: %v", err))
	}
	return text
}

func sum(content []byte) v1.Hash {
	digest := sha256.Sum256(content)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(digest[:])}
}

func describe(kind types.MediaType, content []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: kind, Digest: sum(content), Size: int64(len(content))}
}

// layer makes a layer of one small file. Into memory nothing can fail.
func layer(path, text string) (packed, unpacked []byte) {
	var archive bytes.Buffer
	files := tar.NewWriter(&archive)
	_ = files.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
	_, _ = files.Write([]byte(text))
	_ = files.Close()
	return pack(archive.Bytes()), archive.Bytes()
}

// pack puts up to 64 KiB into gzip's format as they are: one stored block, which costs nothing to make and is the same whoever makes it.
func pack(content []byte) []byte {
	size := uint16(len(content))
	packed := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1}
	packed = binary.LittleEndian.AppendUint16(packed, size)
	packed = binary.LittleEndian.AppendUint16(packed, ^size)
	packed = append(packed, content...)
	packed = binary.LittleEndian.AppendUint32(packed, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(packed, uint32(size))
}
