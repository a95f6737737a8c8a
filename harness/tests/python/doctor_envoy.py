"""Envoy as the edge of a container app, ill in every way of the symptom table, for the tests of `stocktake doctor`.

    doctor_envoy.py FOLDER NAME=PORT…

The arguments name the ports of loopback behind it: `ours`, `other` (a second server like it), `python`, and those of
doctor_backends.py. FOLDER holds the certificates: NAME.pem and NAME.key for cert, othername, expired, stranger. Each listener is on
a free port; FOLDER/listeners.json maps their names to ports. Prints `listening on 127.0.0.1:PORT` of one of them once all
serve. This process becomes Envoy, so that to end it is to end Envoy.
"""

import json
import os
import pathlib
import sys
import time
import urllib.request

import envoy

START = 30
API = "type.googleapis.com/envoy.extensions"
MANAGER = f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager"
# As the ingress of container apps: its words are "retried and the latest reset reason".
RETRIES = {"retry_on": "5xx,connect-failure,refused-stream,reset", "num_retries": 2}
# Stands in for 240 s.
IDLE = "1s"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": int(port)}}


def cluster(name, *ports, http2=True, **more):
    kind = "http2_protocol_options" if http2 else "http_protocol_options"
    options = f"{API.rpartition('/')[2]}.upstreams.http.v3.HttpProtocolOptions"
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    return {
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {
            options: {"@type": f"{API}.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {kind: {}}}
        },
        **more,
    }


def to(cluster_name, **more):
    """A route to a cluster, without an end of its own."""
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster_name, "timeout": "0s", "retry_policy": RETRIES, **more}}


def answer(status, body, **headers):
    """A route that Envoy answers itself."""
    added = [{"header": {"key": name.replace("_", "-"), "value": value}} for name, value in headers.items()]
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": added,
    }


def redirect(**action):
    return {"match": {"prefix": "/"}, "redirect": action}


def tls(folder, certificate="cert", alpn=("h2", "http/1.1"), client=False):
    context = {
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(folder / f"{certificate}.pem")},
                "private_key": {"filename": str(folder / f"{certificate}.key")},
            }
        ],
        "alpn_protocols": list(alpn),
    }
    downstream = {
        "@type": f"{API}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": context,
    }
    if client:
        downstream["require_client_certificate"] = True
        context["validation_context"] = {"trusted_ca": {"filename": str(folder / "ca.pem")}}
    return {"name": "tls", "typed_config": downstream}


def listener(name, route, transport_socket=None, filters=(), **manager):
    chain = {
        "filters": [
            {
                "name": "http",
                "typed_config": {
                    "@type": MANAGER,
                    "stat_prefix": name,
                    "http2_protocol_options": {"max_concurrent_streams": 100},
                    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
                    "http_filters": [
                        *filters,
                        {"name": "router", "typed_config": {"@type": f"{API}.filters.http.router.v3.Router"}},
                    ],
                    **manager,
                },
            }
        ]
    }
    if transport_socket:
        chain["transport_socket"] = transport_socket
    return {"name": name, "address": address(0), "filter_chains": [chain]}


def clusters(ports):
    breakers = {"circuit_breakers": {"thresholds": [{"max_requests": 0, "max_pending_requests": 0}]}}
    return [
        cluster("ours", ports["ours"]),
        cluster("ours-http1", ports["ours"], http2=False),
        cluster("python", ports["python"]),
        cluster("python-http1", ports["python"], http2=False),
        cluster("page", ports["page"]),
        cluster("page-http1", ports["page"], http2=False),
        cluster("dead", ports["dead"]),
        cluster("tls", ports["tls"]),
        cluster("nobody"),
        cluster("breaker", ports["ours"], **breakers),
        cluster("hang", ports["hang"]),
        cluster("cold", ports["cold"]),
        cluster("two", ports["ours"], ports["other"]),
    ]


def listeners(folder):
    nobody_may = {
        "name": "rbac",
        "typed_config": {"@type": f"{API}.filters.http.rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": {}}},
    }
    no_page = "<!doctype html><title>Error 404 - This Container App is stopped or does not exist.</title>"
    bearer = 'Bearer realm="127.0.0.1" authorization_uri="https://login.windows.example/tenant/oauth2/authorize"'
    login = {"host_redirect": "login.windows.example", "https_redirect": True, "response_code": "FOUND"}
    return [
        listener("healthy", to("ours")),
        listener("healthy-python", to("python")),
        listener("healthy-tls", to("ours"), tls(folder)),
        listener("transport", to("python-http1")),
        listener("transport-ours", to("ours-http1")),
        listener("port-of-http1", to("page")),
        listener("port-dead", to("dead")),
        listener("app-tls", to("tls")),
        listener("no-upstream", to("nobody")),
        listener("overflow", to("breaker")),
        listener("hang", to("hang"), stream_idle_timeout=IDLE),
        listener("hang-forever", to("hang")),
        listener("route-timeout", to("hang", timeout="0.5s")),
        listener("cold", to("cold")),
        listener("unknown-host", answer(404, no_page, content_type="text/html")),
        listener("rbac", to("ours"), filters=[nobody_may]),
        listener("redirect", redirect(https_redirect=True)),
        listener("login-redirect", redirect(**login)),
        listener("login-bearer", answer(401, "", www_authenticate=bearer)),
        listener("forbidden", answer(403, "")),
        listener("edge-503", answer(503, "Service Unavailable")),
        listener("page", to("page-http1")),
        listener("idle", to("ours"), stream_idle_timeout=IDLE),
        listener("split", to("two")),
        listener("other-name", to("ours"), tls(folder, "othername")),
        listener("expired", to("ours"), tls(folder, "expired")),
        listener("stranger", to("ours"), tls(folder, "stranger")),
        listener("client-certificate", to("ours"), tls(folder, client=True)),
        listener("alpn-http1", to("ours"), tls(folder, alpn=["http/1.1"])),
        listener("alpn-none", to("ours"), tls(folder, alpn=[])),
        listener("alpn-lies", to("ours"), tls(folder), codec_type="HTTP1"),
    ]


def announce(folder):
    """Writes where the listeners are once Envoy serves; silent when that takes too long."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            admin = (folder / "admin").read_text()
            with urllib.request.urlopen(f"http://{admin}/ready", timeout=5):
                pass
            with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=5) as told:
                found = json.load(told)["listener_statuses"]
            ports = {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in found}
            (folder / "listeners.json").write_text(json.dumps(ports))
            print(f"listening on 127.0.0.1:{ports['healthy']}", flush=True)
            return
        except (OSError, ValueError):
            time.sleep(0.01)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: doctor_envoy.py FOLDER NAME=PORT…")
    folder = pathlib.Path(sys.argv[1])
    ports = dict(argument.split("=") for argument in sys.argv[2:])
    bootstrap = {
        "admin": {"address": address(0)},
        "static_resources": {"listeners": listeners(folder), "clusters": clusters(ports)},
    }
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(bootstrap))
    binary = pathlib.Path(envoy.__file__).parent / "_bin" / "envoy"
    if os.fork() == 0:
        announce(folder)
        return
    arguments = ["--config-path", configuration, "--admin-address-path", folder / "admin"]
    arguments += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    os.execv(binary, [str(binary), *map(str, arguments)])


if __name__ == "__main__":
    main()
