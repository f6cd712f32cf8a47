// Package minio looks into an object store that speaks S3, MinIO or another. It asks with GET alone, and only under the name that the
// profile gives: no request goes elsewhere to find out where a bucket lives.
package minio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/velero"
)

// DefaultRegion is the one that MinIO takes for its own unless told otherwise.
const DefaultRegion = "us-east-1"

// Options are the settings of [New].
type Options struct {
	URL       string // of the S3 API
	Region    string // empty for DefaultRegion
	Transport http.RoundTripper
	// Keys finds the credential for reading; nil asks without one.
	Keys func(ctx context.Context) (accessKey, secretKey string, err error)
	// WriteKeys finds the credential of the actions; nil if there is none.
	WriteKeys func(ctx context.Context) (accessKey, secretKey string, err error)
}

// Client asks one object store. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	region    string
	transport http.RoundTripper
	keys      func(ctx context.Context) (string, string, error)
	write     func(ctx context.Context) (string, string, error)
}

var _ velero.Buckets = (*Client)(nil)

// New returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Hostname() == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, errors.New("reading the URL of the object store: it must begin with https:// or http:// and a host, without a credential")
	}
	if base.Path != "" && base.Path != "/" {
		return nil, errors.New("reading the URL of the object store: it must not have a path")
	}
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	return &Client{base: base, region: o.Region, transport: genuine{o.Transport}, keys: o.Keys, write: o.WriteKeys}, nil
}

// Host is where the store is, without the port.
func (c *Client) Host() string { return c.base.Hostname() }

// genuine takes no answer but that of an object store, which numbers every request: to the library, anybody's 404 would be a bucket that
// does not exist.
type genuine struct{ next http.RoundTripper }

// RoundTrip sends the request.
func (g genuine) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(r)
	if err == nil && resp.Header.Get("X-Amz-Request-Id") == "" {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("something that is no object store answers with %d", resp.StatusCode)
	}
	return resp, err
}

// Bucket implements [velero.Buckets].
func (c *Client) Bucket(ctx context.Context, name, prefix string) (velero.Bucket, probes.Request, error) {
	address := c.base.JoinPath(name)
	address.RawQuery = url.Values{"list-type": {"2"}, "prefix": {prefix}, "max-keys": {"1"}}.Encode()
	path := "store/" + name
	if prefix != "" {
		path += "/" + prefix
	}
	request := probes.Request{
		Source: "GET " + address.String(),
		Repeat: fmt.Sprintf(`mc alias set store %s "$MINIO_ACCESS_KEY" "$MINIO_SECRET_KEY" && mc ls %s`, probes.ShellWord(c.base.Scheme+"://"+c.base.Host), probes.ShellWord(path)),
	}
	client, err := c.client(ctx, c.keys)
	if err != nil {
		return velero.Bucket{}, request, err
	}
	b := velero.Bucket{Exists: true}
	var said minio.ErrorResponse
	switch b.Holds, err = holds(ctx, client, name, prefix); {
	case err == nil:
	case !errors.As(err, &said):
		return velero.Bucket{}, request, fmt.Errorf("asking the object store at %s: %w", c.base.Host, cause(err))
	case said.Code == minio.NoSuchBucket:
		return velero.Bucket{}, request, nil
	default:
		return velero.Bucket{}, request, c.refusal(said)
	}
	if v, err := client.GetBucketVersioning(ctx, name); err == nil {
		b.Versioning = v.Status
		if b.Versioning == "" {
			b.Versioning = "off"
		}
	}
	if lock, _, _, _, err := client.GetObjectLockConfig(ctx, name); err == nil {
		b.Lock = lock
	} else if minio.ToErrorResponse(err).Code == "ObjectLockConfigurationNotFoundError" {
		b.Lock = "off"
	}
	return b, request, nil
}

// holds reports whether anything is stored under a prefix.
func holds(ctx context.Context, client *minio.Client, name, prefix string) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range client.ListObjects(ctx, name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: 1}) {
		return o.Err == nil, o.Err
	}
	return false, ctx.Err()
}

// MakeBucket makes a bucket with the credential of the actions. One that is there and this credential's own is fine.
func (c *Client) MakeBucket(ctx context.Context, name string) error {
	if err := c.CanMake(ctx); err != nil {
		return err
	}
	client, err := c.client(ctx, c.write)
	if err != nil {
		return err
	}
	err = client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: c.region})
	var said minio.ErrorResponse
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &said):
		return fmt.Errorf("making bucket %s in the object store at %s: %w", name, c.base.Host, cause(err))
	case said.Code == minio.BucketAlreadyOwnedByYou:
		return nil
	}
	return fmt.Errorf("making bucket %s in the object store at %s: %s (%d %s)", name, c.base.Host, probes.Clean(said.Message, 200), said.StatusCode, probes.Clean(said.Code, 60))
}

// CanMake says why the store cannot be changed, for want of a credential. It asks the store nothing.
func (c *Client) CanMake(ctx context.Context) error {
	if c.write == nil {
		return errors.New("there is no credential to change the object store with: write connections.minio.write in the profile")
	}
	_, _, err := c.write(ctx)
	return err
}

// RemovePrefix removes every object of a bucket under a prefix, which must not be empty, with the credential of the actions.
func (c *Client) RemovePrefix(ctx context.Context, bucket, prefix string) error {
	if prefix == "" {
		return errors.New("removing everything of a bucket is nobody's wish")
	}
	if err := c.CanMake(ctx); err != nil {
		return err
	}
	client, err := c.client(ctx, c.write)
	if err != nil {
		return err
	}
	for o := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("listing what is under %s: %w", prefix, cause(o.Err))
		}
		if err := client.RemoveObject(ctx, bucket, o.Key, minio.RemoveObjectOptions{}); err != nil {
			return fmt.Errorf("removing what is under %s: %w", prefix, cause(err))
		}
	}
	return ctx.Err()
}

func (c *Client) client(ctx context.Context, keys func(ctx context.Context) (string, string, error)) (*minio.Client, error) {
	o := &minio.Options{
		Secure: c.base.Scheme == "https", Transport: c.transport, Region: c.region, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
		Creds: credentials.NewStatic("", "", "", credentials.SignatureAnonymous),
	}
	if keys != nil {
		access, secret, err := keys(ctx)
		if err != nil {
			return nil, err
		}
		o.Creds = credentials.NewStaticV4(access, secret, "")
	}
	client, err := minio.New(c.base.Host, o)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask the object store: %w", err)
	}
	return client, nil
}

// cause is an error without the request, which is named beside it.
func cause(err error) error {
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

// refusal says what gonogo's credential lacks.
func (c *Client) refusal(e minio.ErrorResponse) error {
	said := fmt.Sprintf("%s (%d %s)", probes.Clean(e.Message, 200), e.StatusCode, probes.Clean(e.Code, 60))
	credential := []string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId", "ExpiredToken"}
	switch {
	case slices.Contains(credential, e.Code):
		return fmt.Errorf("the object store at %s refuses gonogo's own credential: %s", c.base.Host, said)
	case e.StatusCode == http.StatusForbidden || e.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("the object store at %s does not let gonogo's own credential look into the bucket, it needs s3:ListBucket: %s", c.base.Host, said)
	}
	return fmt.Errorf("the object store at %s: %s", c.base.Host, said)
}
