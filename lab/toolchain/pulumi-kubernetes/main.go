// The official Kubernetes provider from its own module. The module's own main package embeds two files that upstream
// makes when it releases and that are in no module; these are what they are made from, put here by lab/toolchain.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() {
	// The file lacks the version, which upstream adds when it releases.
	versioned := append([]byte(`{"version":"`+version.Version+`",`), schema[1:]...)
	provider.Serve("kubernetes", version.Version, versioned, mapping)
}
