"""A service of edition 2023 (editions.proto), which imports a file of edition 2024.

    editions_server.py [--port 0] [--contrary] [--no-reflection]

The same request gets the same answer. `--contrary` bends each field of each answer a little, so that every scenario
written for the service has to fail.
"""

import argparse
import asyncio
import pathlib
import sys

import grpc
from google.protobuf import text_format, unknown_fields
from grpc_reflection.v1alpha import reflection

import serving

sys.path.append(str(pathlib.Path(__file__).parent))
pb, pb_grpc = grpc.protos_and_services("editions.proto")


def bent(kind, value):
    """Another value of the same kind of field."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (str, bytes)):
        return value + ("~" if isinstance(value, str) else b"~")
    if isinstance(value, float):
        return 1.5 if value == 0.5 else 0.5
    # 1 <-> 2 is declared of both enums; the last bit never leaves the range of an integer.
    return value ^ (3 if kind.enum_type else 1)


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def put(message, field, value):
    if field.is_extension:
        message.Extensions[field] = value
    else:
        setattr(message, field.name, value)


def clear(message, field):
    if field.is_extension:
        message.ClearExtension(field)
    else:
        message.ClearField(field.name)


def bend(message):
    """Changes every set field of a message; whether there was one."""
    fields = message.ListFields()
    for field, value in fields:
        if is_map(field):
            kind = field.message_type.fields_by_name["value"]
            # A copy: what is put into a map while it is read may be met again.
            for key in list(value):
                if kind.message_type is None:
                    value[key] = bent(kind, value[key])
                elif not bend(value[key]):
                    value[key].Clear()
        elif field.message_type is None and field.is_repeated:
            value[:] = [bent(field, item) for item in value]
        elif field.message_type is None:
            put(message, field, bent(field, value))
        elif not all([bend(item) for item in (value if field.is_repeated else [value])]):
            clear(message, field)
    return bool(fields)


class Editions(pb_grpc.EditionsServicer):
    def __init__(self, contrary):
        self.contrary = contrary

    async def Echo(self, request, context):
        if self.contrary:
            bend(request)
        return request

    async def Split(self, request, context):
        # Contrary: the last part is lost.
        for part in request.parts[: -1 if self.contrary else None]:
            yield part

    async def Join(self, request_iterator, context):
        parts = pb.Parts(parts=[part async for part in request_iterator])
        if self.contrary:
            bend(parts)
        return parts

    async def Relay(self, request_iterator, context):
        index = 0
        async for part in request_iterator:
            index += 1
            part.index = index
            if self.contrary:
                bend(part)
            yield part


def wire_handlers(contrary):
    """The service Wire: bytes in, bytes out."""

    async def describe(wire, context):
        message = pb.Fields.FromString(wire)
        fields = {
            field.name: text_format.MessageToString(picked(message, field), as_one_line=True)
            for field, _ in message.ListFields()
        }
        seen = pb.Seen(fields=fields, unknown=len(unknown_fields.UnknownFieldSet(message)), wire=wire)
        if contrary:
            seen.unknown += 1
            seen.wire += b"~"
        return seen

    async def answer(request, context):
        if not contrary:
            return request.wire
        message = pb.Fields.FromString(request.wire)
        if not bend(message):
            message.closed = pb.CLOSED_ONE
        return message.SerializeToString()

    return {
        "Describe": grpc.unary_unary_rpc_method_handler(describe, None, pb.Seen.SerializeToString),
        "Answer": grpc.unary_unary_rpc_method_handler(answer, pb.Encoded.FromString, None),
    }


def picked(message, field):
    """The message with nothing but the one field."""
    one = pb.Fields()
    one.CopyFrom(message)
    for other, _ in message.ListFields():
        if other.number != field.number:
            clear(one, other)
    one.DiscardUnknownFields()
    return one


async def main():
    parser = argparse.ArgumentParser(description="every kind of field that an edition shapes")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--contrary", action="store_true", help="bend each answer a little")
    parser.add_argument("--no-reflection", action="store_true", help="describe nothing")
    options = parser.parse_args()

    server = serving.server()
    pb_grpc.add_EditionsServicer_to_server(Editions(options.contrary), server)
    wire = pb.DESCRIPTOR.services_by_name["Wire"].full_name
    handlers = wire_handlers(options.contrary)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(wire, handlers)])
    if not options.no_reflection:
        names = [service.full_name for service in pb.DESCRIPTOR.services_by_name.values()]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    await serving.serve(server, options.port)


if __name__ == "__main__":
    asyncio.run(main())
