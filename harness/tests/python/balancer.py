"""Envoy before several gRPC servers: each call goes to the next of them, as an ingress spreads calls over replicas.

    balancer.py UPSTREAM...

As transcoder.py, without the transcoder.
"""

import pathlib
import sys
import tempfile

import transcoder


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: balancer.py UPSTREAM...")
    made = transcoder.bootstrap(sys.argv[1], [], b"")
    listener, cluster = made["static_resources"]["listeners"][0], made["static_resources"]["clusters"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] != "transcoder"]
    upstreams = [transcoder.socket(*upstream.rsplit(":", 1)) for upstream in sys.argv[1:]]
    cluster["lb_policy"] = "ROUND_ROBIN"
    cluster["load_assignment"]["endpoints"] = [
        {"lb_endpoints": [{"endpoint": {"address": address}} for address in upstreams]}
    ]
    transcoder.serve(pathlib.Path(tempfile.mkdtemp()), made)


if __name__ == "__main__":
    main()
