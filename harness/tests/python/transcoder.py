"""A REST side that nobody here wrote: Envoy with grpc_json_transcoder before a gRPC server of the inventory.

    transcoder.py UPSTREAM

UPSTREAM is the server's HOST:PORT, plaintext HTTP/2. Envoy listens on a free port of 127.0.0.1, takes HTTP/1.1 and HTTP/2,
transcodes what proto/inventory.http.yaml maps, and passes gRPC on as it is. Prints `listening on 127.0.0.1:PORT` once it
serves. This process becomes Envoy, so that to end it is to end Envoy.
"""

import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request

import envoy
import yaml
from google.api import annotations_pb2
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).parents[3] / "proto"
START = 30
# What the contract promises to take, and room for its frame.
BODY_LIMIT = 50 * 1024 * 1024
API = "type.googleapis.com/envoy.extensions"


def descriptor_set(folder):
    """The contract with the HTTP rules as options of its methods, encoded."""
    path = folder / "inventory.binpb"
    status = protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={path}", "inventory.proto"])
    if status:
        sys.exit(status)
    described = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    rules = yaml.safe_load((PROTO / "inventory.http.yaml").read_text(encoding="utf-8"))["http"]["rules"]
    rules = {rule["selector"]: rule for rule in rules}
    services = []
    for file in described.file:
        for service in file.service:
            services.append(f"{file.package}.{service.name}")
            for method in service.method:
                rule = rules.pop(f"{services[-1]}.{method.name}")
                json_format.ParseDict(rule, method.options.Extensions[annotations_pb2.http])
    if rules:
        sys.exit(f"rules for methods that the contract does not have: {', '.join(rules)}")
    # Envoy drops an error whose details it cannot print.
    for known in (any_pb2, duration_pb2, error_details_pb2):
        known.DESCRIPTOR.CopyToProto(described.file.add())
    return services, described.SerializeToString()


def socket(address, port):
    return {"socket_address": {"address": address, "port_value": int(port)}}


def transcoder(services, descriptors):
    return {
        "@type": f"{API}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "services": services,
        "proto_descriptor_bin": base64.b64encode(descriptors).decode(),
        # An error is a google.rpc.Status in JSON, a stream one message a line.
        "convert_grpc_status": True,
        # Wrong requests end here, not at the upstream as if they were gRPC.
        "request_validation_options": {"reject_unknown_method": True, "reject_unknown_query_parameters": True},
        "url_unescape_spec": "ALL_CHARACTERS",
        "query_param_unescape_plus": True,
        "print_options": {"stream_newline_delimited": True, "always_print_primitive_fields": True},
        "max_request_body_size": BODY_LIMIT,
        "max_response_body_size": BODY_LIMIT,
    }


def bootstrap(upstream, services, descriptors):
    route = {
        "match": {"prefix": "/"},
        # Streams stay open and deadlines are the server's: the proxy sets no end of its own.
        "route": {"cluster": "upstream", "timeout": "0s", "idle_timeout": "0s"},
    }
    manager = {
        "@type": f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inventory",
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoder(services, descriptors)},
            {"name": "router", "typed_config": {"@type": f"{API}.filters.http.router.v3.Router"}},
        ],
    }
    cluster = {
        "name": "upstream",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(*upstream.rsplit(":", 1))}}]}],
        },
        "typed_extension_protocol_options": {
            f"{API.rpartition('/')[2]}.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{API}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    listener = {
        "name": "inventory",
        "address": socket("127.0.0.1", 0),
        "per_connection_buffer_limit_bytes": BODY_LIMIT,
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": manager}]},
        ],
    }
    return {
        "admin": {"address": socket("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
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


def serve(folder, made):
    """Becomes Envoy with this configuration; its files lie in the folder, which is removed once it serves."""
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(made))
    admin_file = folder / "admin"
    binary = pathlib.Path(envoy.__file__).parent / "_bin" / "envoy"
    if os.fork() == 0:
        announce(admin_file)
        shutil.rmtree(folder)
        return
    arguments = ["--config-path", configuration, "--admin-address-path", admin_file]
    arguments += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    os.execv(binary, [str(binary), *map(str, arguments)])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: transcoder.py UPSTREAM")
    folder = pathlib.Path(tempfile.mkdtemp())
    serve(folder, bootstrap(sys.argv[1], *descriptor_set(folder)))


if __name__ == "__main__":
    main()
