"""Writes deploy/azure/az-flags.json: what azure-cli's own parser knows of the commands that a rollout may use.

    python -m venv /tmp/azcli && /tmp/azcli/bin/pip install azure-cli==2.91.0      (733 MB; scripts/soak azure does it)
    /tmp/azcli/bin/python deploy/check/az_flags.py

Nothing is sent: the command table is loaded, and the parser that azure-cli builds from it is read, option by option.
az_lines.py checks command lines against the result.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import tempfile

FLAGS = pathlib.Path(__file__).parents[1] / "azure" / "az-flags.json"
# Groups (or single commands) that are kept; all of azure-cli has some 6,000 commands.
KEPT = [
    "account set",
    "account show",
    "acr",
    "containerapp",
    "deployment group",
    "extension add",
    "group",
    "identity",
    "login",
    "logout",
    "monitor diagnostic-settings",
    "monitor log-analytics workspace",
    "monitor metrics list",
    "postgres flexible-server",
    "provider register",
    "role assignment",
    "version",
]
# What argparse counts as the number of values.
TAKES = {None: "1", 0: "0", "?": "?", "*": "*", "+": "+"}


def parsers(parser, words=()):
    """Every command of the tree with its parser."""
    for action in parser._actions:
        table = getattr(action, "_name_parser_map", None)
        if table:
            for word, below in table.items():
                yield from parsers(below, (*words, word))
            return
    yield " ".join(words), parser


def kept(command):
    return any(command == group or command.startswith(group + " ") for group in KEPT)


def offered(action):
    """Whether the option is for people: azure-cli keeps some for itself, and some that it takes everywhere without effect."""
    inner = {"--cmd", "--change-reference", "--acquire-policy-token"}
    return not any(name in inner or name.startswith("--_") for name in action.option_strings)


def option(action):
    """One option, or a positional argument, whose list of names is empty."""
    found = {"names": list(action.option_strings), "takes": TAKES.get(action.nargs, str(action.nargs))}
    if action.choices is not None:
        found["choices"] = sorted(str(choice) for choice in action.choices)
    if action.required:
        found["required"] = True
    return found


def main():
    # The table is read with no account and no settings of whoever runs this.
    os.environ["AZURE_CONFIG_DIR"] = tempfile.mkdtemp()
    from azure.cli.core import get_default_cli
    from azure.cli.core.file_util import create_invoker_and_load_cmds_and_args

    cli = get_default_cli()
    create_invoker_and_load_cmds_and_args(cli)
    commands = {command: parser for command, parser in parsers(cli.invocation.parser) if kept(command)}
    missing = [group for group in KEPT if not any(c == group or c.startswith(group + " ") for c in commands)]
    if missing:
        sys.exit(f"azure-cli has no longer: {', '.join(missing)}")

    written = {c: [option(a) for a in parser._actions if offered(a)] for c, parser in commands.items()}
    everywhere = [one for one in written["group list"] if all(one in options for options in written.values())]
    lines = [
        f"  {json.dumps(command)}: {json.dumps([one for one in options if one not in everywhere])}"
        for command, options in sorted(written.items())
    ]
    text = "{\n"
    text += f' "made from": "azure-cli {importlib.metadata.version("azure-cli")}",\n'
    text += f' "everywhere": {json.dumps(everywhere)},\n'
    text += ' "commands": {\n' + ",\n".join(lines) + "\n }\n}\n"
    FLAGS.write_text(text, encoding="utf-8")
    print(f"{FLAGS}: {len(commands)} commands, {len(text) // 1024} KiB")


if __name__ == "__main__":
    main()
