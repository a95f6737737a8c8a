"""Does all six calls with the published .proto and checks the answers; exit 1 and a sentence for the first deviation.

    client_all.py path/to/inventory.proto HOST:PORT
"""

import pathlib
import sys
import threading
import uuid

import grpc

TIMEOUT = 20


def check(holds, sentence):
    if not holds:
        sys.exit(f"deviation: {sentence}")


def refused(code, call, *arguments):
    """Checks that a call ends with `code`."""
    try:
        answer = call(*arguments, timeout=TIMEOUT)
    except grpc.RpcError as error:
        check(error.code() == code, f"expected {code}, got {error.code()}: {error.details()}")
    else:
        check(False, f"expected {code}, got {answer}")


def rows(pb, prefix, *skus):
    return [
        pb.CreateProductRequest(name=f"row {sku}", sku=f"{prefix}-{sku}", category=prefix, price=0.1 + 0.2, stock_quantity=5)
        for sku in skus
    ]


def watched(pb, stub, product):
    """Opens a watch on the product's category; returns it once an update has come through."""
    stream = stub.WatchStockChanges(pb.WatchStockRequest(category=product.category), timeout=TIMEOUT)
    subscribed = threading.Event()

    def probe():
        while not subscribed.wait(0.1):
            stub.UpdateStock(pb.UpdateStockRequest(id=product.id, quantity_change=1, reason="probe"), timeout=TIMEOUT)

    prober = threading.Thread(target=probe, daemon=True)
    prober.start()
    first = next(stream)
    subscribed.set()
    prober.join()
    check(first.reason == "probe", f"the first update is {first}")
    return stream


def main():
    proto, address = pathlib.Path(sys.argv[1]), sys.argv[2]
    sys.path.append(str(proto.parent))
    pb, pb_grpc = grpc.protos_and_services(proto.name)
    prefix = f"all-{uuid.uuid4().hex[:8]}"

    with grpc.insecure_channel(address) as channel:
        stub = pb_grpc.InventoryServiceStub(channel)
        [asked] = rows(pb, prefix, "one")
        product = stub.CreateProduct(asked, timeout=TIMEOUT)
        for field in ("name", "sku", "category", "price", "stock_quantity", "description"):
            check(getattr(product, field) == getattr(asked, field), f"{field} is {getattr(product, field)!r}")
        check(product.id and product.created_at == product.updated_at, f"created {product}")
        refused(grpc.StatusCode.ALREADY_EXISTS, stub.CreateProduct, asked)

        read = stub.GetProduct(pb.GetProductRequest(id=product.id), timeout=TIMEOUT)
        check(read == product, f"read {read}, created {product}")
        refused(grpc.StatusCode.NOT_FOUND, stub.GetProduct, pb.GetProductRequest(id=prefix))

        stream = watched(pb, stub, product)
        before = stub.GetProduct(pb.GetProductRequest(id=product.id), timeout=TIMEOUT).stock_quantity
        sold = stub.UpdateStock(pb.UpdateStockRequest(id=product.id, quantity_change=-2, reason="sale"), timeout=TIMEOUT)
        check(sold.stock_quantity == before - 2, f"sold 2 of {before}: {sold}")
        short = pb.UpdateStockRequest(id=product.id, quantity_change=-before, reason="too many")
        refused(grpc.StatusCode.FAILED_PRECONDITION, stub.UpdateStock, short)
        update = next(update for update in stream if update.reason != "probe")
        check(
            (update.product_id, update.product_name, update.old_quantity, update.new_quantity, update.reason)
            == (product.id, product.name, before, before - 2, "sale"),
            f"update {update}",
        )
        stream.cancel()

        imported = stub.BulkImport(iter(rows(pb, prefix, "two", "one", "three")), timeout=TIMEOUT)
        check((imported.imported_count, imported.failed_count) == (2, 1), f"imported {imported}")
        check(len(imported.errors) == 1 and f"{prefix}-one" in imported.errors[0], f"errors {imported.errors}")

        listed = stub.ListProducts(pb.ListProductsRequest(category=prefix, page=2, page_size=2), timeout=TIMEOUT)
        check((listed.total_count, listed.page, listed.page_size) == (3, 2, 2), f"listed {listed}")
        check(len(listed.products) == 1, f"{len(listed.products)} products on the last page")
    print("6 methods as the contract says")


if __name__ == "__main__":
    main()
