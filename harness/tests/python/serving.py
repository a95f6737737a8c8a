"""What the test servers share: their one port, their end, and errors with rich details."""

import asyncio
import signal

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2

MESSAGE_LIMIT = 50 * 1024 * 1024


def server():
    """A grpc.aio server that takes 50 MiB messages and never shares its port."""
    return grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
        ]
    )


async def serve(server, port):
    """Serves on 127.0.0.1, prints `listening on 127.0.0.1:PORT` once bound, and returns after SIGTERM or SIGINT."""
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(f"listening on 127.0.0.1:{bound}", flush=True)
    await ended.wait()
    await server.stop(grace=0.5)


def details_trailer(code, message, details):
    """The trailer that carries google.rpc.Status; `details` are messages of google.rpc or any other."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return ("grpc-status-details-bin", status.SerializeToString())
