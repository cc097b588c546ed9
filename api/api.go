// Package api holds the published descriptions of the faces, as they are served
// and as the tests compare them with what the server does.
package api

import (
	"embed"
	"fmt"

	"github.com/oasdiff/yaml"
)

//go:embed *.yaml
var files embed.FS

// JSON returns the description of a face ("sales") as OpenAPI JSON.
func JSON(face string) ([]byte, error) {
	raw, err := files.ReadFile(face + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("api: %q has no description: %w", face, err)
	}
	return yaml.YAMLToJSON(raw)
}
