"""Peers that are ill, each on a free port of 127.0.0.1, for the tests of `stocktake doctor`.

    doctor_backends.py FOLDER

FOLDER holds cert.pem and key.pem. Writes FOLDER/backends.json, a map of names to ports, and prints
`listening on 127.0.0.1:PORT` of one of them once all are bound. Serves until it is ended.
"""

import asyncio
import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

INVENTORY = "inventory.InventoryService"
# A first call that takes so long, and 20 times as long as the next, is a start.
COLD = 2.5
HTML = b"<!doctype html><title>metrics</title><p>not what you are looking for"

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
ENHANCE_YOUR_CALM = 11
REFUSED_STREAM = 7


def describe_warehouse():
    """The service of the inventory in another package, for reflection."""
    file = descriptor_pb2.FileDescriptorProto(name="warehouse.proto", package="warehouse", syntax="proto3")
    file.dependency.append(empty_pb2.DESCRIPTOR.name)
    method = file.service.add(name="InventoryService").method.add(name="ListProducts")
    method.input_type = method.output_type = ".google.protobuf.Empty"
    descriptor_pool.Default().Add(file)


class Methods(grpc.GenericRpcHandler):
    """Unary methods by their path; every other one goes to `other`, where there is one."""

    def __init__(self, methods, other=None):
        self.methods, self.other = methods, other

    def service(self, details):
        answer = self.methods.get(details.method, self.other)
        return answer and grpc.unary_unary_rpc_method_handler(answer)


async def empty(_, __):
    return b""


async def never(_, __):
    await asyncio.Event().wait()


def failing(code, text):
    async def answer(_, context):
        await context.abort(code, text)

    return answer


def first_is_slow():
    """The first call waits as one does for a container that starts."""
    began = []

    async def answer(_, __):
        if not began:
            began.append(True)
            await asyncio.sleep(COLD)
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()

    return answer


async def grpc_server(handlers, *, status="SERVING", names=(), tls=None):
    """A gRPC server: with health where it has a status, with reflection where it has names. Its port."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(handlers)
    if status:
        servicer = health.aio.HealthServicer()
        await servicer.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(status))
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if names:
        reflection.enable_server_reflection(names, server)
    address = "127.0.0.1:0"
    port = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    await server.start()
    KEPT.append(server)
    return port


# Servers that nobody else holds.
KEPT = []


async def tcp_server(serve):
    async def guarded(reader, writer):
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    KEPT.append(server)
    return server.sockets[0].getsockname()[1]


async def page(reader, writer):
    """HTTP/1.1 that answers everything with a page, and HTTP/2 with 400."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"PRI "):
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return await writer.drain()
        chunked = b"transfer-encoding: chunked" in head.lower()
        while chunked and await reader.readline() != b"0\r\n":
            pass
        if chunked:
            await reader.readline()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s" % (len(HTML), HTML)
        )
        await writer.drain()


async def silent(reader, _):
    while await reader.read(4096):
        pass


async def closing(_, __):
    return


def frames(on_headers):
    """HTTP/2 as far as the first frames: `on_headers` makes the answer to a HEADERS frame of its stream id."""

    async def serve(reader, writer):
        await reader.readexactly(24)
        writer.write(SETTINGS)
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3]))
            if head[3] == 4 and not head[4] & 1:
                writer.write(bytes([0, 0, 0, 4, 1, 0, 0, 0, 0]))
            if head[3] == 1:
                answer, ends = on_headers(head[5:9])
                writer.write(answer)
                if ends:
                    return await writer.drain()
            await writer.drain()

    return serve


def too_many_pings(_):
    debug = b"too_many_pings"
    payload = bytes(4) + ENHANCE_YOUR_CALM.to_bytes(4) + debug
    return len(payload).to_bytes(3) + bytes([7, 0, 0, 0, 0, 0]) + payload, True


def refused(stream):
    return bytes([0, 0, 4, 3, 0]) + stream + REFUSED_STREAM.to_bytes(4), False


async def main(folder):
    credentials = grpc.ssl_server_credentials([((folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes())])
    products = f"/{INVENTORY}/ListProducts"
    describe_warehouse()
    denied = failing(grpc.StatusCode.PERMISSION_DENIED, "this token may not read")
    check = "/grpc.health.v1.Health/Check"
    ports = {
        "tls": await grpc_server([Methods({})], tls=credentials),
        "hang": await grpc_server([Methods({}, never)], status=None),
        "cold": await grpc_server([Methods({check: first_is_slow(), products: empty})], status=None),
        "other-package": await grpc_server(
            [Methods({"/warehouse.InventoryService/ListProducts": empty})],
            names=["warehouse.InventoryService", health.SERVICE_NAME, reflection.SERVICE_NAME],
        ),
        "unknown-service": await grpc_server([Methods({})]),
        "not-serving": await grpc_server([Methods({products: empty})], status="NOT_SERVING"),
        "failing": await grpc_server(
            [Methods({products: failing(grpc.StatusCode.INTERNAL, "connection to the database lost")})]
        ),
        "denied": await grpc_server([Methods({}, denied)], status=None),
        "no-reflection": await grpc_server([Methods({products: empty})]),
        "page": await tcp_server(page),
        "silent": await tcp_server(silent),
        "closing": await tcp_server(closing),
        "calm": await tcp_server(frames(too_many_pings)),
        "refused": await tcp_server(frames(refused)),
    }
    (folder / "backends.json").write_text(json.dumps(ports))
    print(f"listening on 127.0.0.1:{ports['silent']}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: doctor_backends.py FOLDER")
    asyncio.run(main(pathlib.Path(sys.argv[1])))
