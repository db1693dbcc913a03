#!/bin/sh
# Makes greeterpb and tickerpb from the protos of examples/apps. These name no Go package: the M
# options do. Needs protoc on the PATH; its plugins are the tools of go.mod.
set -eu
cd "$(dirname "$0")"
module=grpc-platform.local/client
options=module=$module,Mgreeter.proto=$module/greeterpb,Mticker.proto=$module/tickerpb
protoc --proto_path=../../apps greeter.proto ticker.proto \
  --plugin="$(go tool -n protoc-gen-go)" --go_out=. --go_opt=$options \
  --plugin="$(go tool -n protoc-gen-go-grpc)" --go-grpc_out=. --go-grpc_opt=$options
