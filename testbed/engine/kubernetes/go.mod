module grpc-platform.local/pulumi-resource-kubernetes

go 1.26.1

require github.com/pulumi/pulumi-kubernetes/provider/v4 v4.0.0-20260115033456-f47bc2d6f199

// The provider's own go.mod points to a folder that the published module lacks; ours is v4.24.0 of it
// with the file in patch/.
replace github.com/pulumi/pulumi-kubernetes/sdk/v4 => ./patched
