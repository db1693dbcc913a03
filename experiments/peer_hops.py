"""What one could take instead of Envoy and Contour, configured for gRPC as its documentation says.

All of them balance calls, not connections, over the servers; the relay balances connections, as a
Service or a Network Load Balancer does.
"""

import shutil
import sysconfig
from pathlib import Path

from experiments import hops
from experiments.hops import Hop
from experiments.lab import Lab
from testbed.load.clients import DIRECT, PORT

CONTROL = "l4"
"""The relay that copies bytes."""
PLACES = (sysconfig.get_path("scripts"), "/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where a wheel, or a package of the system, puts a server that may not be on the PATH."""

# https://caddyserver.com/docs/caddyfile/directives/reverse_proxy (h2c, dynamic upstreams)
_CADDY = """{{
	auto_https off
	servers {{
		protocols h1 h2 h2c
	}}
}}
:{port} {{
{more}	reverse_proxy {{
		dynamic a {host} {port} {{
			refresh 5s
			versions ipv4
		}}
		transport http {{
			versions h2c 2
		}}
	}}
}}
"""
_CADDY_ROUTE = """	@more header X-Route more
	respond @more 404
"""

# https://nginx.org/en/docs/http/ngx_http_grpc_module.html, .../ngx_http_upstream_module.html. It
# looks names up when it starts: `resolve` came with 1.27.3.
_NGINX = """daemon off;
user root;
pid /tmp/nginx.pid;
error_log stderr;
worker_processes 1;
events {{ worker_connections 10000; }}
http {{
	access_log off;
	client_body_temp_path /tmp/body;
	proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi;
	uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	upstream servers {{
		server {host}:{port};
		keepalive 64;
	}}
	server {{
		listen {port} http2;
		location / {{ grpc_pass grpc://servers; }}
{more}	}}
}}
"""
_NGINX_ROUTE = "\t\tlocation /more { return 404; }\n"

# https://www.haproxy.com/documentation/haproxy-configuration-tutorials/protocol-support/grpc/ and
# .../dns-resolution/ (server-template).
_HAPROXY = """global
	nbthread 1
resolvers cluster
	nameserver dns {resolver}:53
	hold valid 5s
	accepted_payload_size 8192
defaults
	mode http
	timeout connect 5s
	timeout client 10m
	timeout server 10m
frontend grpc
	bind :{port} proto h2
{more}	default_backend servers
backend servers
	balance roundrobin
	server-template s 10 {host}:{port} proto h2 check resolvers cluster init-addr none
"""
_HAPROXY_ROUTE = "\thttp-request return status 404 if { path_beg /more }\n"


def program(name: str) -> Path | None:
    """Where a peer's program is; None if it is not there."""
    found = shutil.which(name) or shutil.which(name, path=":".join(PLACES))
    return Path(found) if found else None


def peers(lab: Lab) -> list[Hop]:
    """Those whose programs are there, and the control."""
    host = DIRECT.partition(":")[0]
    values = {"port": PORT, "host": host, "resolver": lab.cluster.place.dns_address}

    def files(name: str, template: str, route: str) -> dict[str, str]:
        return {
            name: template.format(more="", **values),
            "changed": template.format(more=route, **values),
        }

    def starts(file: str, command: str) -> tuple[str, ...]:
        # Its own copy, for a reload to change.
        return ("sh", "-c", f"cp /config/{file} /tmp/{file} && exec {command}")

    found = [Hop(name=CONTROL, command=hops.relay(CONTROL, "tcp").command)]
    if caddy := program("caddy"):
        lab.cluster.link("caddy", caddy)
        caddy = "/parts/caddy"
        file = "Caddyfile"
        found.append(
            Hop(
                name="caddy",
                command=starts(file, f"{caddy} run --config /tmp/{file} --adapter caddyfile"),
                files=files(file, _CADDY, _CADDY_ROUTE),
                # Its own way to end: it waits for calls in flight.
                stop="kill -TERM 1",
                reload=f"{caddy} reload --config /config/changed --adapter caddyfile",
            )
        )
    if nginx := program("nginx"):
        file = "nginx.conf"
        run = f"{nginx} -e stderr -c /tmp/{file}"
        found.append(
            Hop(
                name="nginx",
                command=starts(file, run),
                files=files(file, _NGINX, _NGINX_ROUTE),
                stop=f"{run} -s quit",
                reload=f"cp /config/changed /tmp/{file} && {run} -s reload",
            )
        )
    if haproxy := program("haproxy"):
        file = "haproxy.cfg"
        found.append(
            Hop(
                name="haproxy",
                command=starts(file, f"{haproxy} -W -f /tmp/{file}"),
                files=files(file, _HAPROXY, _HAPROXY_ROUTE),
                stop="kill -USR1 1",
                reload=f"cp /config/changed /tmp/{file} && kill -USR2 1",
            )
        )
    return found
