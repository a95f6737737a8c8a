"""Envoy before several servers, as an ingress stands before replicas: every request goes to the next one.

    round_robin.py UPSTREAM…

Each UPSTREAM is the HOST:PORT of a server, plaintext HTTP/2. Envoy listens on a free port of 127.0.0.1, takes HTTP/1.1 and
HTTP/2, and prints `listening on 127.0.0.1:PORT` once it serves. This process becomes Envoy, so that to end it is to end Envoy.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

import envoy
from transcoder import API, announce, socket


def bootstrap(upstreams):
    manager = {
        "@type": f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "replicas",
        "stream_idle_timeout": "0s",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {"cluster": "replicas", "timeout": "0s", "idle_timeout": "0s"},
                        }
                    ],
                }
            ]
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{API}.filters.http.router.v3.Router"}}],
    }
    endpoints = [{"endpoint": {"address": socket(*upstream.rsplit(":", 1))}} for upstream in upstreams]
    cluster = {
        "name": "replicas",
        "connect_timeout": "5s",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": "replicas", "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {
            f"{API.rpartition('/')[2]}.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{API}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    listener = {
        "name": "replicas",
        "address": socket("127.0.0.1", 0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "admin": {"address": socket("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: round_robin.py UPSTREAM…")
    folder = pathlib.Path(tempfile.mkdtemp())
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(bootstrap(sys.argv[1:])))
    admin_file = folder / "admin"
    binary = pathlib.Path(envoy.__file__).parent / "_bin" / "envoy"
    if os.fork() == 0:
        announce(admin_file)
        shutil.rmtree(folder)
        return
    arguments = ["--config-path", configuration, "--admin-address-path", admin_file]
    # One worker: with more, each counts its own rounds.
    arguments += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    os.execv(binary, [str(binary), *map(str, arguments)])


if __name__ == "__main__":
    main()
