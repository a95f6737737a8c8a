"""Envoy before several gRPC servers: each call goes to the next of them, as an ingress spreads calls over replicas.

    balancer.py [--calls N] UPSTREAM...

As transcoder.py, without the transcoder. With --calls it passes on no more than so many calls at once, over one connection, and the
others wait in it.
"""

import argparse
import pathlib
import tempfile

import transcoder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int)
    parser.add_argument("upstreams", nargs="+")
    arguments = parser.parse_args()
    made = transcoder.bootstrap(arguments.upstreams[0], [], b"")
    listener, cluster = made["static_resources"]["listeners"][0], made["static_resources"]["clusters"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] != "transcoder"]
    upstreams = [transcoder.socket(*upstream.rsplit(":", 1)) for upstream in arguments.upstreams]
    cluster["lb_policy"] = "ROUND_ROBIN"
    cluster["load_assignment"]["endpoints"] = [
        {"lb_endpoints": [{"endpoint": {"address": address}} for address in upstreams]}
    ]
    if arguments.calls:
        cluster["circuit_breakers"] = {"thresholds": [{"max_connections": 1, "max_pending_requests": 100000, "max_requests": 100000}]}
        [options] = cluster["typed_extension_protocol_options"].values()
        options["explicit_http_config"]["http2_protocol_options"]["max_concurrent_streams"] = arguments.calls
    transcoder.serve(pathlib.Path(tempfile.mkdtemp()), made)


if __name__ == "__main__":
    main()
