"""A service with every kind of method and field (kinds.proto, kinds_legacy.proto), with reflection.

    kinds_server.py [--port 0] [--contrary]

The same request gets the same answer. `--contrary` bends each answer a little, so that every scenario written for the
service has to fail: a wrong value, a lost or an extra message, another status.
"""

import argparse
import asyncio
import pathlib
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection

import serving

sys.path.append(str(pathlib.Path(__file__).parent))
pb, pb_grpc = grpc.protos_and_services("kinds.proto")
legacy, legacy_grpc = grpc.protos_and_services("kinds_legacy.proto")

CODES = {code.value[0]: code for code in grpc.StatusCode}


async def end(context, asked):
    """Ends the call as asked; returns where that is OK."""
    trailers = [("x-end", asked.trailer)] if asked.trailer else []
    details = []
    if asked.fields:
        violations = [error_details_pb2.BadRequest.FieldViolation(field=field) for field in asked.fields]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if asked.reason:
        details.append(error_details_pb2.ErrorInfo(reason=asked.reason, domain="kinds.test"))
    code = CODES.get(asked.code, grpc.StatusCode.UNKNOWN)
    if details:
        trailers.append(serving.details_trailer(code, asked.message, details))
    if code == grpc.StatusCode.OK:
        context.set_trailing_metadata(trailers)
    else:
        await context.abort(code, asked.message, tuple(trailers))


class Kinds(pb_grpc.KindsServicer):
    def __init__(self, contrary):
        self.contrary = contrary

    async def Echo(self, request, context):
        if self.contrary:
            request.large += 1
            request.counts["extra"] = 1
        return request

    async def Count(self, request, context):
        # Contrary: the last message is lost.
        for value in range(getattr(request, "from"), request.upto + (0 if self.contrary else 1)):
            yield pb.CountReply(value=value)
        await end(context, request.end)

    async def Sum(self, request_iterator, context):
        total = values = 0
        async for request in request_iterator:
            if request.value < 0:
                refused = pb.End(code=3, message=f"value {values} is negative", fields=[f"values[{values}]"])
                await end(context, refused)
            total, values = total + request.value, values + 1
        return pb.SumReply(sum=total + self.contrary, values=values)

    async def Chat(self, request_iterator, context):
        number = 0
        async for request in request_iterator:
            if request.HasField("end"):
                await end(context, request.end)
                return
            number += 1
            reply = pb.ChatReply(number=number, text=request.text.upper())
            yield reply
            if self.contrary:
                yield reply

    async def Refuse(self, request, context):
        if self.contrary:
            request.code = 2
            request.ClearField("fields")
        await end(context, request)
        return pb.Everything()

    async def Metadata(self, request, context):
        pairs = [(key, value) for key, value in context.invocation_metadata() if key == request.key]
        await context.send_initial_metadata(pairs[: 0 if self.contrary else None])
        context.set_trailing_metadata(pairs)
        values = [value.hex() if isinstance(value, bytes) else value for _, value in pairs]
        return pb.MetadataReply(values=values)


class Legacy(legacy_grpc.LegacyServicer):
    def __init__(self, contrary):
        self.contrary = contrary

    async def Mirror(self, request, context):
        request.seen = not self.contrary
        return request


async def main():
    parser = argparse.ArgumentParser(description="every kind of method and field")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--contrary", action="store_true", help="bend each answer a little")
    options = parser.parse_args()

    server = serving.server()
    pb_grpc.add_KindsServicer_to_server(Kinds(options.contrary), server)
    legacy_grpc.add_LegacyServicer_to_server(Legacy(options.contrary), server)
    names = [file.services_by_name[name].full_name for file, name in ((pb.DESCRIPTOR, "Kinds"), (legacy.DESCRIPTOR, "Legacy"))]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    await serving.serve(server, options.port)


if __name__ == "__main__":
    asyncio.run(main())
