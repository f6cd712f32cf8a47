package mirror

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/probes"
)

// where says where the robot's credential is kept.
func (a action) where() string {
	if a.Params.Folder != "" {
		return "folder " + a.Params.Folder
	}
	return "Secret " + a.Params.Credential
}

// keepByHand says how a person keeps it there.
func (a action) keepByHand() string {
	if a.Params.Folder != "" {
		return fmt.Sprintf("write %s into %s and its secret into %s, both readable by you alone", a.login(),
			filepath.Join(a.Params.Folder, "username"), filepath.Join(a.Params.Folder, "password"))
	}
	namespace, name := a.secretPlace()
	return fmt.Sprintf("kubectl create secret generic -n %s %s --from-literal=username=%s --from-literal=password=…", namespace, name, probes.ShellWord(a.login()))
}

// readKept reads the credential; why says that it is not there.
func (a action) readKept(ctx context.Context) (username, password, why string, err error) {
	if a.Params.Folder != "" {
		read := func(name string) string {
			var text []byte
			if err == nil {
				text, err = os.ReadFile(filepath.Join(a.Params.Folder, name))
			}
			return strings.TrimRight(string(text), "\r\n")
		}
		username, password = read("username"), read("password")
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", "the " + a.where() + " holds no credential", nil
		}
		return username, password, "", err
	}
	namespace, name := a.secretPlace()
	o, err := a.Cluster.Get(ctx, secrets, namespace, name)
	if err != nil {
		return "", "", "", err
	}
	if o == nil {
		return "", "", "the " + a.where() + " does not exist", nil
	}
	read := func(key string) string {
		text, _, _ := unstructured.NestedString(o.Object, "data", key)
		value, _ := base64.StdEncoding.DecodeString(text)
		return string(value)
	}
	return read("username"), read("password"), "", nil
}

// keep writes the credential where it is kept.
func (a action) keep(ctx context.Context, username, password string) error {
	if a.Params.Folder != "" {
		if err := os.MkdirAll(a.Params.Folder, 0o700); err != nil {
			return err
		}
		for name, text := range map[string]string{"username": username, "password": password} {
			temporary := filepath.Join(a.Params.Folder, name+".new")
			if err := os.WriteFile(temporary, []byte(text+"\n"), 0o600); err != nil {
				return err
			}
			if err := os.Rename(temporary, filepath.Join(a.Params.Folder, name)); err != nil {
				return err
			}
		}
		return nil
	}
	namespace, name := a.secretPlace()
	_, err := a.Cluster.Apply(ctx, secrets, a.secret(namespace, name, "Opaque", map[string]string{"username": username, "password": password}), manager)
	return err
}
