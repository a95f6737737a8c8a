"""Takes the published post apart: its .proto, server.py and client.py, runnable with a current grpcio.

    seed_extract.py POST FOLDER

FOLDER gets protos/inventory.proto, server.py, client.py and generated/ (as the post generates it). Two lines of the
server are patched, for any port will do and one may be taken: it binds a free port of 127.0.0.1 alone, and prints
`listening on 127.0.0.1:PORT` once it serves. The client stays as published. Both run with
PYTHONPATH=FOLDER:FOLDER/generated, since generated code imports `inventory_pb2` from the top level.
"""

import pathlib
import re
import sys

from grpc_tools import protoc


def blocks(text):
    """The post's fenced blocks by the file name in their first line's comment."""
    found = {}
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        named = re.match(r"(?://|#) ([\w./]+\.(?:proto|py))\b", body)
        if language in ("protobuf", "python") and named:
            found[named.group(1)] = body
    return found


def replace_once(text, old, new):
    if text.count(old) != 1:
        sys.exit(f"the post's server.py has {text.count(old)} times `{old}`, expected 1: adapt seed_extract.py")
    return text.replace(old, new)


def patched(server):
    server = replace_once(server, "        options=[\n", "        options=[\n            ('grpc.so_reuseport', 0),\n")
    server = replace_once(server, "    port = 50051\n", "")
    server = replace_once(
        server, "    server.add_insecure_port(f'[::]:{port}')\n", "    port = server.add_insecure_port('127.0.0.1:0')\n"
    )
    return replace_once(
        server, "    server.start()\n", "    server.start()\n    print(f'listening on 127.0.0.1:{port}', flush=True)\n"
    )


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: seed_extract.py POST FOLDER")
    post, folder = map(pathlib.Path, sys.argv[1:])
    found = blocks(post.read_text(encoding="utf-8"))
    missing = {"protos/inventory.proto", "server.py", "client.py"} - found.keys()
    if missing:
        sys.exit(f"{post}: no block named {', '.join(sorted(missing))}")
    generated = folder / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    (folder / "protos").mkdir(exist_ok=True)
    for name, text in found.items():
        (folder / name).write_text(patched(text) if name == "server.py" else text, encoding="utf-8")
    (generated / "__init__.py").touch()
    status = protoc.main(
        [
            "protoc",
            f"-I{folder / 'protos'}",
            f"--python_out={generated}",
            f"--pyi_out={generated}",
            f"--grpc_python_out={generated}",
            str(folder / "protos" / "inventory.proto"),
        ]
    )
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
