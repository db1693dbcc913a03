module grpc-platform.local/pulumi

go 1.26.1

require github.com/pulumi/pulumi/pkg/v3 v3.274.1
