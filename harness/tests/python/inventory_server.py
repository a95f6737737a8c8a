"""The inventory service once more, written independently of the Rust one: correct by default, wrong on demand.

    inventory_server.py [--port 0] [--late 0.4] [--defects sku-race,no-health]

Where the contract is silent it chooses differently from the reference on purpose (ids that count, a clock of 1 ms,
`Z`), so that a scenario that demands more than the contract fails here.
"""

import argparse
import asyncio
import collections
import contextlib
import datetime
import math
import pathlib
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import serving

sys.path.append(str(pathlib.Path(__file__).parents[3] / "proto"))
pb, pb_grpc = grpc.protos_and_services("inventory.proto")

SERVICE = pb.DESCRIPTOR.services_by_name["InventoryService"].full_name
INT32_MAX = 2**31 - 1
# Stock updates kept for one watch that does not read; beyond them its stream ends RESOURCE_EXHAUSTED.
BACKLOG = 100_000

DEFECTS = {
    "bulk-context-status": "a duplicate in a bulk import turns the whole answer into ALREADY_EXISTS",
    "watch-threads": "ten calls at a time, watches included",
    "watch-list-equality": "a watch that closes removes the oldest watch whose backlog equals its own",
    "sku-race": "a create looks for its SKU, and only later stores it",
    "no-validation": "empty names and SKUs, negative stock, odd prices and NUL are stored",
    "overflow-unknown": "a stock above int32 is UNKNOWN",
    "no-health": "no health service",
    "no-details": "errors carry no rich details",
}


class Refused(Exception):
    """A request that the rules forbid."""

    def __init__(self, code, message, *details):
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def invalid(violations):
    """INVALID_ARGUMENT that names the fields; `violations` are pairs of field and description."""
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=field, description=text) for field, text in violations
        ]
    )
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, "; ".join(f"{field} {text}" for field, text in violations), bad)


def violations(row):
    """Why a product cannot be created as asked."""
    for field in ("name", "sku"):
        if not getattr(row, field):
            yield field, "is required"
    for field in ("name", "sku", "category", "description"):
        if "\0" in getattr(row, field):
            yield field, "holds a NUL character"
    if row.stock_quantity < 0:
        yield "stock_quantity", "is below zero"
    if row.price < 0 or not math.isfinite(row.price):
        yield "price", "is no price"


class Watch:
    """One open watch: what it asked for and what it has not been sent."""

    def __init__(self, request, late):
        self.category, self.threshold, self.late = request.category, request.threshold, late
        self.backlog = collections.deque()
        self.news = asyncio.Event()
        self.overrun = False

    def offer(self, category, update):
        if self.category and self.category != category:
            return
        if 0 < self.threshold <= update.new_quantity:
            return
        # Every second product has a way of its own: the order is kept for each product, and for no more.
        if self.late and int(update.product_id[-1]) % 2:
            asyncio.get_running_loop().call_later(self.late, self.take, update)
        else:
            self.take(update)

    def take(self, update):
        if len(self.backlog) >= BACKLOG:
            self.overrun = True
        else:
            self.backlog.append(update)
        self.news.set()


class Inventory(pb_grpc.InventoryServiceServicer):
    """All six methods. One event loop runs them: whatever does not await is atomic."""

    def __init__(self, defects, late):
        self.defects, self.late = defects, late
        self.products = {}
        self.skus = set()
        self.watches = []
        self.slots = asyncio.Semaphore(10) if "watch-threads" in defects else contextlib.nullcontext()
        for name, sku, category, price, stock in (
            ("Anvil", "ANV-1", "Forge", 120.0, 4),
            ("Bellows", "BEL-1", "Forge", 75.5, 0),
            ("Chisel", "CHI-1", "Bench", 12.25, 40),
        ):
            self.insert(
                pb.CreateProductRequest(name=name, sku=sku, category=category, price=price, stock_quantity=stock)
            )

    def insert(self, row):
        at = now()
        product = pb.Product(
            id=f"item-{len(self.products) + 1:06}",
            name=row.name,
            sku=row.sku,
            category=row.category,
            price=row.price,
            stock_quantity=row.stock_quantity,
            description=row.description,
            created_at=at,
            updated_at=at,
        )
        self.products[product.id] = product
        self.skus.add(product.sku)
        return product

    async def create(self, row):
        if "no-validation" not in self.defects:
            wrong = list(violations(row))
            if wrong:
                raise invalid(wrong)
        if row.sku in self.skus:
            taken = error_details_pb2.ResourceInfo(resource_type="product", resource_name=row.sku)
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"sku {row.sku!r} is taken", taken)
        if "sku-race" in self.defects:
            await asyncio.sleep(0.01)
        return self.insert(row)

    def find(self, wanted):
        product = self.products.get(wanted)
        if product is None:
            absent = error_details_pb2.ResourceInfo(resource_type="product", resource_name=wanted)
            raise Refused(grpc.StatusCode.NOT_FOUND, f"there is no product {wanted!r}", absent)
        return product

    def trailer(self, refused):
        if "no-details" in self.defects:
            return ()
        return (serving.details_trailer(refused.code, refused.message, refused.details),)

    @contextlib.asynccontextmanager
    async def call(self, context):
        """One call from its slot to its status."""
        async with self.slots:
            try:
                yield
            except Refused as refused:
                await context.abort(refused.code, refused.message, self.trailer(refused))

    async def GetProduct(self, request, context):
        async with self.call(context):
            return self.find(request.id)

    async def ListProducts(self, request, context):
        async with self.call(context):
            page, size = max(request.page, 1), min(max(request.page_size, 1), 100)
            found = [
                product
                for product in self.products.values()
                if request.category in ("", product.category)
                and (product.stock_quantity > 0 or not request.in_stock_only)
            ]
            return pb.ListProductsResponse(
                products=found[(page - 1) * size : page * size], total_count=len(found), page=page, page_size=size
            )

    async def CreateProduct(self, request, context):
        async with self.call(context):
            return await self.create(request)

    async def UpdateStock(self, request, context):
        async with self.call(context):
            product = self.find(request.id)
            quantity = product.stock_quantity + request.quantity_change
            if quantity < 0:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"only {product.stock_quantity} left")
            if quantity > INT32_MAX:
                if "overflow-unknown" in self.defects:
                    raise Refused(grpc.StatusCode.UNKNOWN, "unhandled exception")
                raise Refused(grpc.StatusCode.OUT_OF_RANGE, f"{quantity} is more than a stock can hold")
            updated = pb.Product()
            updated.CopyFrom(product)
            updated.stock_quantity, updated.updated_at = quantity, now()
            self.products[updated.id] = updated
            update = pb.StockUpdate(
                product_id=updated.id,
                product_name=updated.name,
                old_quantity=product.stock_quantity,
                new_quantity=quantity,
                reason=request.reason,
                timestamp=updated.updated_at,
            )
            for watch in self.watches:
                watch.offer(updated.category, update)
            return updated

    async def WatchStockChanges(self, request, context):
        async with self.call(context):
            watch = Watch(request, self.late)
            self.watches.append(watch)
            try:
                await context.send_initial_metadata(())
                while not watch.overrun:
                    while watch.backlog:
                        yield watch.backlog.popleft()
                    watch.news.clear()
                    await watch.news.wait()
                raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, f"more than {BACKLOG} updates were not read")
            finally:
                self.forget(watch)

    def forget(self, watch):
        if "watch-list-equality" in self.defects:
            watch = next((other for other in self.watches if other.backlog == watch.backlog), watch)
        if watch in self.watches:
            self.watches.remove(watch)

    async def BulkImport(self, request_iterator, context):
        async with self.call(context):
            answer = pb.BulkImportResponse()
            duplicate = None
            async for row in request_iterator:
                try:
                    await self.create(row)
                    answer.imported_count += 1
                except Refused as refused:
                    answer.failed_count += 1
                    answer.errors.append(f"row with sku {row.sku!r}: {refused.message}")
                    if refused.code == grpc.StatusCode.ALREADY_EXISTS:
                        duplicate = refused
            if duplicate and "bulk-context-status" in self.defects:
                context.set_code(duplicate.code)
                context.set_details(duplicate.message)
            return answer


def known(names):
    chosen = {name for name in names.split(",") if name}
    if chosen - DEFECTS.keys():
        raise argparse.ArgumentTypeError(f"no such defect; there are: {', '.join(DEFECTS)}")
    return chosen


async def main():
    parser = argparse.ArgumentParser(description="an inventory server, correct by default")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument(
        "--defects", type=known, default=set(), help="; ".join(f"{name}: {text}" for name, text in DEFECTS.items())
    )
    parser.add_argument(
        "--late", type=float, default=0, help="tells watches of every second product so many seconds later"
    )
    options = parser.parse_args()

    server = serving.server()
    pb_grpc.add_InventoryServiceServicer_to_server(Inventory(options.defects, options.late), server)
    names = [SERVICE, reflection.SERVICE_NAME]
    if "no-health" not in options.defects:
        servicer = health.aio.HealthServicer()
        await servicer.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        names.append(health.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    await serving.serve(server, options.port)


if __name__ == "__main__":
    asyncio.run(main())
