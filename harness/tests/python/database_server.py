"""A replica that waits for its database: ListProducts over a real PostgreSQL, with the metrics that say so.

    database_server.py --postgres BIN --folder FOLDER [--hold 0.01]

BIN holds initdb and postgres; FOLDER is where the database lies, and is removed by whoever made it. Each call takes one lock that all
calls share and holds it for so many seconds, in the database: so many calls a second and no more, however many replicas there are. Prints
`listening on 127.0.0.1:PORT`, after `metrics on 127.0.0.1:PORT` of a page in Prometheus text.
"""

import argparse
import asyncio
import contextlib
import ctypes
import http.server
import os
import pathlib
import pwd
import resource
import signal
import subprocess
import sys
import threading
import time

import grpc
import psycopg
from grpc_reflection.v1alpha import reflection

import serving

sys.path.append(str(pathlib.Path(__file__).parents[3] / "proto"))
pb, pb_grpc = grpc.protos_and_services("inventory.proto")

SERVICE = pb.DESCRIPTOR.services_by_name["InventoryService"].full_name
# More than are ever in flight: the pool is not what a call waits for.
CONNECTIONS = 80
START = 30
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """The database ends with this process, however that ends: SIGQUIT is its immediate shutdown."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Database:
    """A PostgreSQL of its own, on a socket in its folder."""

    def __init__(self, binaries, folder):
        self.folder = folder
        # It refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            folder.chmod(0o755)
            for one in (folder / "data", folder / "socket"):
                one.mkdir()
                os.chown(one, pwd.getpwnam(self.user).pw_uid, -1)
        else:
            (folder / "socket").mkdir()
        initdb = [binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "stock", "--no-sync", "--no-locale", "-E", "UTF8"]
        subprocess.run(initdb, user=self.user, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        settings = {"listen_addresses": "", "unix_socket_directories": folder / "socket", "fsync": "off", "max_connections": CONNECTIONS + 10}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *arguments],
            user=self.user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )

    async def connect(self):
        """A connection, as soon as there is one to have."""
        deadline = time.monotonic() + START
        while True:
            try:
                return await psycopg.AsyncConnection.connect(
                    f"host={self.folder / 'socket'} user=stock dbname=postgres", autocommit=True
                )
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                await asyncio.sleep(0.02)


class Times:
    """A histogram's count and sum."""

    def __init__(self):
        self.count, self.sum = 0, 0.0

    @contextlib.contextmanager
    def measure(self):
        began = time.perf_counter()
        try:
            yield
        finally:
            self.count += 1
            self.sum += time.perf_counter() - began

    def lines(self, name, labels):
        return f"{name}_sum{{{labels}}} {self.sum}\n{name}_count{{{labels}}} {self.count}\n"


class Inventory(pb_grpc.InventoryServiceServicer):
    def __init__(self, hold):
        self.hold = hold
        self.calls, self.operations = Times(), Times()
        self.free = asyncio.Queue()

    async def ListProducts(self, request, context):
        with self.calls.measure():
            connection = await self.free.get()
            try:
                with self.operations.measure():
                    async with connection.transaction():
                        await connection.execute("SELECT pg_advisory_xact_lock(1)")
                        await connection.execute("SELECT pg_sleep(%s)", (self.hold,))
            finally:
                self.free.put_nowait(connection)
        return pb.ListProductsResponse(page=1, page_size=10)

    def page(self):
        """In Prometheus text, by the names of the gRPC interceptors and of OpenTelemetry."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return (
            f"process_cpu_seconds_total {used.ru_utime + used.ru_stime}\n"
            f"process_resident_memory_bytes {used.ru_maxrss * 1024}\n"
            + self.calls.lines("grpc_server_handling_seconds", 'grpc_type="unary",grpc_method="ListProducts"')
            + self.operations.lines("db_client_operation_duration_seconds", 'db_system_name="postgresql"')
        )


def metrics(inventory):
    """Serves the page in a thread of its own; says where."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = inventory.page().encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"metrics on 127.0.0.1:{server.server_port}", flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgres", type=pathlib.Path, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--hold", type=float, default=0.01)
    options = parser.parse_args()

    database = Database(options.postgres, options.folder)
    inventory = Inventory(options.hold)
    for _ in range(CONNECTIONS):
        inventory.free.put_nowait(await database.connect())
    server = serving.server()
    pb_grpc.add_InventoryServiceServicer_to_server(inventory, server)
    reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server)
    metrics(inventory)
    await serving.serve(server, 0)
    database.process.send_signal(signal.SIGQUIT)
    database.process.wait()


if __name__ == "__main__":
    asyncio.run(main())
