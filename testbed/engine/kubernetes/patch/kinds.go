// In place of the SDK's file of this name, which names each kind's own Go type and so makes the
// provider compile all of them. Only ConfigFile, ConfigGroup and Chart ask for it.
package v2

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// IsListKind says whether a kind is that of a list.
func IsListKind(_, kind string) bool { return strings.HasSuffix(kind, "List") }

// RegisterResource registers an object of any kind, without a type of its own for what comes back.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	var res pulumi.CustomResourceState
	token := fmt.Sprintf("kubernetes:%s:%s", apiVersion, kind)
	if err := ctx.RegisterResource(token, name, props, &res, opts...); err != nil {
		return nil, err
	}
	return &res, nil
}
