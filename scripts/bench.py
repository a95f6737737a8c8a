"""Measures the release build over loopback with h2load.

    bench.py get     GetProduct: the full server against a bare tonic handler, rounds in the order A B B A
    bench.py page    ListProducts: a catalogue of 1,000 products against one of 1,000,000, rounds in the same order
    bench.py store   UpdateStock by 1, 16 and 64 callers at once: acknowledged in memory against on the disk, the same way
    bench.py suite   the wall time of the whole suite against the local server
    bench.py late    how late requests are sent below saturation, beside how late a bare clock_nanosleep loop wakes on the
                     same kind of timetable
    bench.py same    ten runs of the same target against itself: how many differences are found that are not there
    bench.py slower  a service of 20 ms against itself slowed by 2 ms: in how many runs of 30 pairs that is found
    bench.py watches many watches: from an update to its last delivery, unary calls beside them, memory of the server
    bench.py generator
                     what GetProduct costs the load generator: CPU time per request against h2load and wrk, on the same server,
                     rounds in the same order, server and generator on a core each; no start-up of either side is counted

BENCH_PAIRS (10), BENCH_REQUESTS (20000 in a round), BENCH_PRODUCTS (1000000), BENCH_WATCHES (10000 over BENCH_CONNECTIONS,
10) and BENCH_UPDATES (1000) set how much. Before any clock runs, one
real answer of each side is checked; in each round every request must end with HTTP 2xx and carry as many bytes as that
answer, so that a fast error cannot win.
"""

import contextlib
import itertools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import grpc

ROOT = pathlib.Path(__file__).parents[1]
BINARY = ROOT / "target/release/stocktake"
BARE = ROOT / "target/release/examples/bare"
WATCHES = ROOT / "target/release/examples/watches"
WAIT = ROOT / "target/release/examples/wait"
LANE = ROOT / "target/release/examples/lane"
PAIRS = int(os.environ.get("BENCH_PAIRS", "10"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "20000"))
PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "1000000"))
# Connections, streams on each.
SHAPE = 4, 16
MANY = [("BENCH_WATCHES", "10000"), ("BENCH_CONNECTIONS", "10"), ("BENCH_UPDATES", "1000")]

sys.path.append(str(ROOT / "proto"))
pb, pb_grpc = grpc.protos_and_services("inventory.proto")


@contextlib.contextmanager
def server(*command):
    """Runs a server; its address."""
    with running(*command) as (_, address):
        yield address


@contextlib.contextmanager
def running(*command):
    """Runs a server; its process and its address."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in process.stdout:
            found = re.search(r"127\.0\.0\.1:[1-9]\d*", line)
            if found:
                yield process, found.group()
                return
        sys.exit(f"{command[0]} named no address")
    finally:
        process.kill()
        process.wait()


def full_server(*arguments):
    return server(BINARY, "serve", "--listen", "127.0.0.1:0", *arguments)


@contextlib.contextmanager
def stub(address):
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        yield pb_grpc.InventoryServiceStub(channel)


class Side:
    """One side of a comparison: a method with its request, on one server, and what every answer must be like."""

    def __init__(self, name, address, method, request, folder):
        self.name, self.url = name, f"http://{address}/inventory.InventoryService/{method}"
        message = request.SerializeToString()
        self.body = pathlib.Path(folder) / f"{name}.grpc".replace(" ", "-").replace(",", "")
        self.body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        with stub(address) as client:
            # Raises for any status but OK.
            answer = getattr(client, method)(request, timeout=30)
        self.answer = answer
        self.answer_bytes = 5 + answer.ByteSize()

    def round(self, requests, shape):
        """Requests per second, over so many connections with so many streams each."""
        command = ["h2load", "-n", requests, "-c", shape[0], "-m", shape[1], "-t", 1, "-d", self.body]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers", self.url]
        text = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
        succeeded = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        answered = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", text)
        received = re.search(r"\((\d+)\) data", text)
        rate = re.search(r"finished in .*?, ([\d.]+) req/s", text)
        if not (succeeded and answered and received and rate):
            sys.exit(f"{self.name}: h2load says\n{text}")
        if succeeded.groups() != (str(requests), "0", "0", "0") or int(answered.group(1)) != requests:
            sys.exit(f"{self.name}: not every request was answered with 2xx\n{text}")
        if int(received.group(1)) != requests * self.answer_bytes:
            sys.exit(f"{self.name}: {received.group(1)} bytes, expected {requests} x {self.answer_bytes}\n{text}")
        return float(rate.group(1))


def compare(a, b, requests=REQUESTS, shape=SHAPE):
    """Prints the rounds of A and B and the ratio A / B of each pair; returns the median ratio."""
    for side in (a, b):
        side.round(requests, shape)
    print(f"\nA = {a.name}, B = {b.name}; {requests} requests a round, {shape[0]} connections x {shape[1]} streams")
    print(f"answers: A {a.answer_bytes} bytes, B {b.answer_bytes} bytes")
    print("pair   order    A req/s    B req/s     A / B")
    ratios = []
    for pair in range(PAIRS):
        order = [a, b] if pair % 2 == 0 else [b, a]
        rates = {side: side.round(requests, shape) for side in order}
        ratios.append(rates[a] / rates[b])
        print(f"{pair + 1:4}   {'A B' if order[0] is a else 'B A'}   {rates[a]:10.0f} {rates[b]:10.0f}  {ratios[-1]:8.3f}")
    median = statistics.median(ratios)
    print(f"median A / B {median:.3f}, smallest {min(ratios):.3f}, largest {max(ratios):.3f}, {PAIRS} pairs")
    return median


def bench_get():
    with full_server() as full, server(BARE) as bare, tempfile.TemporaryDirectory() as folder:
        with stub(full) as client:
            listed = client.ListProducts(pb.ListProductsRequest(page_size=100), timeout=30).products
        product = next(product for product in listed if product.sku == "WDG-001")
        request = pb.GetProductRequest(id=product.id)
        sides = Side("full server", full, "GetProduct", request, folder), Side("bare handler", bare, "GetProduct", request, folder)
        if sides[0].answer != product:
            sys.exit(f"GetProduct answers {sides[0].answer}, ListProducts {product}")
        compare(*sides)


def fill(address, count):
    """Imports products until the catalogue holds `count` of them."""
    with stub(address) as client:
        have = client.ListProducts(pb.ListProductsRequest(page_size=1), timeout=30).total_count
        names = range(have, count)
        for start in range(0, len(names), 50_000):
            rows = (
                pb.CreateProductRequest(name=f"product {i}", sku=f"BENCH-{i}", category=f"c{i % 10}", price=1, stock_quantity=1)
                for i in names[start : start + 50_000]
            )
            answer = client.BulkImport(rows, timeout=600)
            if answer.failed_count:
                sys.exit(f"import: {answer.failed_count} rows failed: {answer.errors[0]}")
        total = client.ListProducts(pb.ListProductsRequest(page_size=1), timeout=30).total_count
        if total != count:
            sys.exit(f"{total} products, expected {count}")


def bench_page():
    small, large = 1000, PRODUCTS
    with full_server() as a, full_server() as b, tempfile.TemporaryDirectory() as folder:
        for address, count in ((a, small), (b, large)):
            started = time.monotonic()
            fill(address, count)
            print(f"{count} products imported in {time.monotonic() - started:.1f} s", flush=True)
        asked = {
            "first page": lambda count: pb.ListProductsRequest(page=1, page_size=20),
            "page in the middle": lambda count: pb.ListProductsRequest(page=count // 40, page_size=20),
            "category, middle": lambda count: pb.ListProductsRequest(page=count // 400, page_size=20, category="c5"),
            "in stock, middle": lambda count: pb.ListProductsRequest(page=count // 40, page_size=20, in_stock_only=True),
        }
        for what, request in asked.items():
            sides = [
                Side(f"{what}, {count} products", address, "ListProducts", request(count), folder)
                for address, count in ((b, large), (a, small))
            ]
            for side in sides:
                if len(side.answer.products) != 20:
                    sys.exit(f"{side.name}: {len(side.answer.products)} products on the page, expected 20")
            compare(*sides)


def bench_store():
    # A file in the project's folder: /tmp may be in memory.
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        with full_server() as memory, full_server("--store", f"file:{folder}/store.redb") as file:
            for shape in ((1, 1), (4, 4), (4, 16)):
                sides = []
                for name, address in (("memory", memory), ("file", file)):
                    with stub(address) as client:
                        listed = client.ListProducts(pb.ListProductsRequest(page_size=100), timeout=30).products
                    # A change of 0 is a write like any other, and its answer keeps its length.
                    request = pb.UpdateStockRequest(id=listed[0].id, quantity_change=0, reason="bench")
                    sides.append(Side(name, address, "UpdateStock", request, folder))
                callers = shape[0] * shape[1]
                print(f"\n{callers} at once")
                compare(*sides, requests=min(REQUESTS, 500 * callers), shape=shape)


def bench_suite():
    times = []
    with full_server() as address:
        for _ in range(PAIRS):
            with tempfile.TemporaryDirectory() as folder:
                started = time.monotonic()
                command = [BINARY, "verify", address, "--quiet", "--out", pathlib.Path(folder) / "run"]
                ended = subprocess.run(command, capture_output=True, text=True)
                times.append(time.monotonic() - started)
            if ended.returncode != 0:
                sys.exit(f"verify ended with exit {ended.returncode}\n{ended.stdout}{ended.stderr}")
            print(f"{times[-1]:.2f} s", flush=True)
    print(f"the whole suite: median {statistics.median(times):.2f} s, longest {max(times):.2f} s, {PAIRS} runs")


def bench_watches():
    numbers = [os.environ.get(name, default) for name, default in MANY]
    with running(BINARY, "serve", "--listen", "127.0.0.1:0") as (process, address):
        subprocess.run([WATCHES, address, str(process.pid), *numbers], check=True)


def on(place):
    """Keeps a command on one core, counted as in a list. Where server and generator may share one by chance, what it costs to wake
    the other is in one round and not in the next: that is more than all that is measured here."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[place])] if len(cores) > 1 else []


def child_cpu(command):
    """Runs a command to its end: CPU microseconds, user and system together, and what it printed."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([*on(-1), *(str(word) for word in command)], stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        out.seek(0)
        text = out.read()
    if status != 0:
        sys.exit(f"{command[0]} ended with {status}\n{text}")
    return (usage.ru_utime + usage.ru_stime) * 1e6, text


def lane_cpu(address, leg, shape, requests):
    """CPU microseconds of a request in our own generator; requests a second."""
    _, text = child_cpu([LANE, address, leg, *shape, requests])
    told = json.loads(text)
    return (told["user_us"] + told["system_us"]) / told["requests"], told["requests"] / told["seconds"]


def h2load_cpu(arguments, shape, requests):
    """The same of h2load, less what it costs to start with one request for each connection."""
    def run(count):
        command = ["h2load", "-n", count, "-c", shape[0], "-m", shape[1], "-t", 1, *arguments]
        cpu, text = child_cpu(command)
        if f"{count} succeeded" not in text or f"status codes: {count} 2xx" not in text:
            sys.exit(f"h2load says\n{text}")
        return cpu, float(re.search(r"finished in .*?, ([\d.]+) req/s", text).group(1))

    start, _ = run(shape[0])
    cpu, rate = run(requests)
    return (cpu - start) / requests, rate


def wrk_cpu(url, shape, _):
    """The same of wrk, which ends by time and not by number."""
    cpu, text = child_cpu(["wrk", "-t", 1, "-c", shape[0], "-d", "2s", url])
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"wrk says\n{text}")
    return cpu / requests, float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def bench_generator():
    serve = [*on(0), BINARY, "serve", "--listen", "127.0.0.1:0"]
    with server(*serve) as address, tempfile.TemporaryDirectory() as folder:
        with stub(address) as client:
            listed = client.ListProducts(pb.ListProductsRequest(page_size=100), timeout=30).products
        product = next(product for product in listed if product.sku == "WDG-001")
        side = Side("GetProduct", address, "GetProduct", pb.GetProductRequest(id=product.id), folder)
        grpc_call = ["-d", side.body, "-H", "content-type: application/grpc", "-H", "te: trailers", side.url]
        url = f"http://{address}/v1/products/{product.id}"
        print("CPU microseconds of a request in the generator, user and system; medians, and the median of the ratios of the pairs")
        print("leg       peer          shape    ours     peer     ours / peer (smallest, largest)   req/s: ours     peer")
        for leg, peer, shape, other in (
            ("grpc", "h2load", (1, 1), lambda *a: h2load_cpu(grpc_call, *a)),
            ("grpc", "h2load", (1, 50), lambda *a: h2load_cpu(grpc_call, *a)),
            ("grpc", "h2load", (8, 10), lambda *a: h2load_cpu(grpc_call, *a)),
            ("rest-h2", "h2load", (1, 50), lambda *a: h2load_cpu([url], *a)),
            ("rest-h1", "h2load --h1", (1, 1), lambda *a: h2load_cpu(["--h1", url], *a)),
            ("rest-h1", "wrk", (8, 1), lambda *a: wrk_cpu(url, *a)),
        ):
            requests = REQUESTS if shape[0] * shape[1] > 1 else REQUESTS // 2
            ours, theirs = [], []
            for pair in range(PAIRS):
                sides = [(ours, lambda: lane_cpu(address, leg, shape, requests)), (theirs, lambda: other(shape, requests))]
                for found, measure in sides if pair % 2 == 0 else reversed(sides):
                    found.append(measure())
            ratios = [a[0] / b[0] for a, b in zip(ours, theirs)]
            median = [[statistics.median(one[i] for one in side) for i in (0, 1)] for side in (ours, theirs)]
            print(
                f"{leg:9} {peer:12} {shape[0]:2} x {shape[1]:2} {median[0][0]:8.2f} {median[1][0]:8.2f}"
                f"     {statistics.median(ratios):5.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
                f"               {median[0][1]:8.0f} {median[1][1]:8.0f}",
                flush=True,
            )


def load(*arguments):
    """Runs `stocktake load`; its exit code and its record."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        command = [BINARY, "load", *arguments, "--quiet", "--out", out]
        ended = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if not (out / "run.json").exists():
            sys.exit(f"load ended with exit {ended.returncode}\n{ended.stdout}{ended.stderr}")
        return ended.returncode, json.loads((out / "run.json").read_text())


def workload(folder, text):
    """A workload of GetProduct alone."""
    file = pathlib.Path(folder) / "workload.yaml"
    file.write_text(
        "version: 1\nid: bench\nname: reads of one product\nservice: inventory.InventoryService\neffects: writes\n"
        "setup:\n  - id: made\n    call: CreateProduct\n"
        "    request: { name: bench, sku: \"st-${{ run.id }}\", category: bench, price: 1, stock_quantity: 1 }\n"
        "operations:\n  - id: get\n    call: GetProduct\n    request: { id: \"${{ made.response.id }}\" }\n" + text
    )
    return file


def bench_late():
    with full_server() as address, tempfile.TemporaryDirectory() as folder:
        print("rate     timetable leg       sent / scheduled   lateness p50        p99   bare wait p99   p99 / bare")
        for rate, kind, leg in itertools.product((500, 1000, 5000), ("constant", "poisson"), ("grpc", "rest-h1")):
            text = f"arrivals: {{ {kind}: {rate} }}\nconnections: 4\nstreams_per_connection: 16\nlegs: [{leg}]\n"
            file = workload(folder, text)
            # Beside it, at the same rate, for as long.
            bare = subprocess.Popen([WAIT, kind, str(rate), str(0.9 * 1.2 * PAIRS)], stdout=subprocess.PIPE, text=True)
            _, record = load(address, "--workload", file, "--duration", "1s", "--warm-up", "200ms", "--rounds", PAIRS)
            bare = int(bare.communicate()[0])
            side = record["cells"][0]["sides"][0]
            sent, scheduled = (sum(one[key] for one in side["rounds"]) for key in ("sent", "scheduled"))
            late = {round(q, 6): value for q, value in side["operations"][0]["lateness"]["percentiles"]}
            print(
                f"{rate:6}   {kind:9} {leg:9} {sent:8} / {scheduled:8} {late[0.5] / 1e3:9.1f} µs {late[0.99] / 1e3:7.1f} µs"
                f"    {bare / 1e3:9.1f} µs {late[0.99] / bare:8.2f}",
                flush=True,
            )


def bench_same():
    found = 0
    with full_server() as old, full_server() as new:
        for run in range(PAIRS):
            code, record = load(
                new, "--against", old, "--legs", "grpc", "--duration", "500ms", "--warm-up", "100ms", "--rounds", "10"
            )
            told = [one for one in record["comparisons"] if one["finding"] in ("more", "less")]
            found += bool(told)
            seen = ", ".join(f"{one['measure']} {one['ratio']:.3f}" for one in told) or "none"
            detectable = next((one["detectable"] for one in record["comparisons"] if one["measure"] == "p50"), None)
            least = f"{detectable:.3f}" if detectable else "not known"
            print(f"run {run + 1}: exit {code}, differences: {seen}; p50 detectable {least}", flush=True)
    print(f"{found} of {PAIRS} runs found a difference between a build and itself")


def bench_slower():
    found = 0
    text = "arrivals: { in_flight: 4 }\nconnections: 1\nstreams_per_connection: 4\nlegs: [grpc]\n"
    with (
        full_server("--simulate", "slow=20ms") as old,
        full_server("--simulate", "slow=22ms") as new,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = workload(folder, text)
        for run in range(PAIRS):
            command = [new, "--against", old, "--workload", file, "--duration", "400ms", "--warm-up", "50ms", "--rounds", "30"]
            code, record = load(*command)
            mean = next(one for one in record["comparisons"] if one["measure"] == "mean")
            low, high = mean["interval"]
            found += code == 1
            print(
                f"run {run + 1}: exit {code}, mean {mean['ratio']:.3f} ({low:.3f} to {high:.3f}), {mean['pairs']} pairs, detectable"
                f" {mean['detectable']:.3f}",
                flush=True,
            )
    print(f"{found} of {PAIRS} runs found the 2 ms")


if __name__ == "__main__":
    kinds = {"get": bench_get, "page": bench_page, "store": bench_store, "suite": bench_suite, "watches": bench_watches}
    kinds |= {"generator": bench_generator, "late": bench_late, "same": bench_same, "slower": bench_slower}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]]()
