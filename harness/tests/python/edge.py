"""The ingress of a container apps environment, played by Envoy: it sends calls by `:authority` and by weight to revisions.

    edge.py FOLDER APP REVISION=ADDRESS [IMAGE=ADDRESS…]

APP has one revision, REVISION, with all traffic. An IMAGE is what `az containerapp update` may make a revision of: its program
runs already, at ADDRESS (HOST:PORT, plaintext HTTP/2). Envoy listens on a free port of 127.0.0.1 and answers 404 for hosts that it
does not know, as the real ingress does. It reads FOLDER/routes.json again whenever az.py, the stand-in for az, puts another there.
Prints `listening on 127.0.0.1:PORT` once it serves. This process becomes Envoy, so that to end it is to end Envoy.
"""

import json
import os
import pathlib
import sys
import time
import urllib.request

import envoy

API = "type.googleapis.com/envoy"
DOMAIN = "env.example"
START = 30


def write(path, value):
    """Puts a file there in one step: Envoy reads it when it is moved into place."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(value, indent=1))
    os.replace(new, path)


def routes(state):
    """Who answers for which host, as a discovery answer of Envoy."""
    app, revisions = state["app"], state["revisions"]

    def host(name, actions):
        fqdn = f"{name}.{DOMAIN}"
        action = {"timeout": "0s", "idle_timeout": "0s", **actions}
        return {"name": name, "domains": [fqdn, f"{fqdn}:*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}

    def serving(entry):
        return state["latest"] if entry.get("latestRevision") else entry["revisionName"]

    hosts = [
        host(name, {"cluster": revision["address"]})
        for name, revision in revisions.items()
        if revision["active"] and revision["address"]
    ]
    weighted = []
    for entry in state["traffic"]:
        address = revisions[serving(entry)]["address"]
        if entry["weight"] and address:
            weighted.append({"name": address, "weight": entry["weight"]})
        if entry.get("label") and address:
            hosts.append(host(f"{app}---{entry['label']}", {"cluster": address}))
    if weighted:
        hosts.append(host(app, {"weighted_clusters": {"clusters": weighted}}))
    hosts.append(
        {
            "name": "unknown",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 404}}],
        }
    )
    configuration = {"@type": f"{API}.config.route.v3.RouteConfiguration", "name": "app", "virtual_hosts": hosts}
    return {"version_info": str(state["version"]), "resources": [configuration]}


def socket(address, port):
    return {"socket_address": {"address": address, "port_value": int(port)}}


def cluster(address):
    return {
        "name": address,
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": address,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(*address.rsplit(":", 1))}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{API}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def bootstrap(folder, addresses):
    manager = {
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "stream_idle_timeout": "240s",
        "rds": {
            "route_config_name": "app",
            "config_source": {"path_config_source": {"path": str(folder / "routes.json")}, "resource_api_version": "V3"},
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{API}.extensions.filters.http.router.v3.Router"}}
        ],
    }
    listener = {
        "name": "edge",
        "address": socket("127.0.0.1", 0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "node": {"id": "edge", "cluster": "edge"},
        "admin": {"address": socket("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster(address) for address in addresses]},
    }


def announce(admin_file):
    """Prints the listener's address once Envoy serves; silent when that takes too long."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            admin = admin_file.read_text()
            with urllib.request.urlopen(f"http://{admin}/ready", timeout=5):
                pass
            with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=5) as answer:
                [listener] = json.load(answer)["listener_statuses"]
            print(f"listening on 127.0.0.1:{listener['local_address']['socket_address']['port_value']}", flush=True)
            return
        except (OSError, ValueError):
            time.sleep(0.01)


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: edge.py FOLDER APP REVISION=ADDRESS [IMAGE=ADDRESS…]")
    folder, app = pathlib.Path(sys.argv[1]), sys.argv[2]
    (first, address), *images = (pair.split("=", 1) for pair in sys.argv[3:])
    state = {
        "app": app,
        "fqdn": f"{app}.{DOMAIN}",
        "version": 1,
        "mode": "Multiple",
        "transport": "Http2",
        "images": dict(images),
        "latest": first,
        "revisions": {first: {"address": address, "active": True}},
        # As after a first deployment: whatever is newest gets everything.
        "traffic": [{"latestRevision": True, "weight": 100}],
    }
    write(folder / "state.json", state)
    write(folder / "routes.json", routes(state))
    configuration, admin_file = folder / "envoy.json", folder / "admin"
    configuration.write_text(json.dumps(bootstrap(folder, {address, *state["images"].values()})))
    if os.fork() == 0:
        announce(admin_file)
        return
    binary = pathlib.Path(envoy.__file__).parent / "_bin" / "envoy"
    arguments = ["--config-path", configuration, "--admin-address-path", admin_file]
    arguments += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    os.execv(binary, [str(binary), *map(str, arguments)])


if __name__ == "__main__":
    main()
