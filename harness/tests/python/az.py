"""A stand-in for az: does to the Envoy of edge.py what Azure would do to its ingress. STOCKTAKE_TEST_EDGE names edge.py's folder.

What azure-cli's own parser would refuse is refused, by deploy/azure/az-flags.json. A call is over when Envoy has the new routes.
Every call is noted in calls.log, with the traffic after it.
"""

import json
import os
import pathlib
import sys
import time
import urllib.request

import jmespath

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "deploy" / "check"))
import az_lines
import edge

FOLDER = pathlib.Path(os.environ["STOCKTAKE_TEST_EDGE"])
APPLY = 30


class Refused(Exception):
    """What Azure says to a call that it does not carry out."""


def given(words):
    """The command, and the values of its options by their first long name."""
    command, length, wrong = az_lines.command_of(words)
    wrong = [wrong] if wrong else az_lines.complaints(words)
    if wrong:
        print("\n".join(f"ERROR: {one}" for one in wrong), file=sys.stderr)
        sys.exit(2)
    known, _ = az_lines.options(command)
    found, name = {}, None
    for word in words[length:]:
        option = known.get(word.split("=", 1)[0]) if word.startswith("-") else None
        if option:
            name = next((one for one in option["names"] if one.startswith("--")))
            found[name] = word.split("=", 1)[1:]
        else:
            found[name].append(word)
    return command, found


def revision(state, name):
    if name not in state["revisions"]:
        raise Refused(f"Revision '{name}' is not a valid revision name.")
    return state["revisions"][name]


def entry(state, name):
    """The traffic entry of a revision, made where there is none."""
    for one in state["traffic"]:
        if one.get("revisionName") == name:
            return one
    state["traffic"].append({"revisionName": name, "weight": 0})
    return state["traffic"][-1]


def show(state, _):
    return {
        "name": state["app"],
        "properties": {
            "latestReadyRevisionName": state["latest"],
            "configuration": {
                "activeRevisionsMode": state["mode"],
                "ingress": {"fqdn": state["fqdn"], "transport": state["transport"], "traffic": state["traffic"]},
            },
        },
    }


def update(state, options):
    name = f"{state['app']}--{options['--revision-suffix'][0]}"
    if name in state["revisions"]:
        raise Refused(f"The revision '{name}' exists already.")
    address = state["images"].get(options["--image"][0])
    scale = {key: int(options[f"--{key}-replicas"][0]) for key in ("min", "max") if f"--{key}-replicas" in options}
    state["revisions"][name] = {"address": address, "active": True, "scale": scale}
    if address:
        state["latest"] = name
    return show(state, options)


def label_add(state, options):
    name, label = options["--revision"][0], options["--label"][0]
    revision(state, name)
    for one in state["traffic"]:
        if one.get("label") == label:
            if one.get("revisionName") != name and "--yes" not in options:
                raise Refused("Unable to prompt for confirmation as no tty available. Use --yes.")
            del one["label"]
    entry(state, name)["label"] = label
    return state["traffic"]


def traffic_set(state, options):
    weights = {name: int(weight) for name, _, weight in (one.partition("=") for one in options["--revision-weight"])}
    if sum(weights.values()) != 100:
        raise Refused("this stand-in takes weights whose sum is 100")
    for name in weights:
        if not revision(state, name)["active"] and weights[name]:
            raise Refused(f"Revision '{name}' is not active.")
    for one in state["traffic"]:
        one["weight"] = 0
    for name, weight in weights.items():
        entry(state, name)["weight"] = weight
    return state["traffic"]


def revision_show(state, options):
    found = revision(state, options["--revision"][0])
    up = found["address"] is not None
    return {
        "name": options["--revision"][0],
        "properties": {
            "active": found["active"],
            "healthState": "Healthy" if up else "None",
            "provisioningState": "Provisioned" if up else "Failed",
            "provisioningError": None if up else "MANIFEST_UNKNOWN: the image is not in the registry",
        },
    }


def deactivate(state, options):
    revision(state, options["--revision"][0])["active"] = False
    return "Deactivate succeeded"


CALLS = {
    "containerapp show": show,
    "containerapp update": update,
    "containerapp ingress traffic show": lambda state, _: state["traffic"],
    "containerapp ingress traffic set": traffic_set,
    "containerapp revision label add": label_add,
    "containerapp revision show": revision_show,
    "containerapp revision deactivate": deactivate,
}


def applied(version):
    """Waits until Envoy has these routes."""
    admin = (FOLDER / "admin").read_text()
    deadline = time.monotonic() + APPLY
    while time.monotonic() < deadline:
        url = f"http://{admin}/config_dump?resource=dynamic_route_configs"
        with urllib.request.urlopen(url, timeout=5) as answer:
            dumped = json.load(answer).get("configs", [])
        if [one.get("version_info") for one in dumped] == [version]:
            return
        time.sleep(0.01)
    sys.exit("ERROR: the ingress did not take the new routes")


def cell(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(answer, options):
    """The answer as azure-cli writes it."""
    if "--query" in options:
        answer = jmespath.search(options["--query"][0], answer)
    form = options.get("--output", ["json"])[0]
    if form == "json":
        print(json.dumps(answer, indent=2))
    elif form == "tsv" and answer is not None:
        for row in answer if isinstance(answer, list) else [answer]:
            print("\t".join(map(cell, row)) if isinstance(row, list) else cell(row))


def main():
    command, options = given(sys.argv[1:])
    if command not in CALLS:
        sys.exit(f"ERROR: this stand-in does not play `az {command}`")
    state = json.loads((FOLDER / "state.json").read_text())
    before = json.dumps(edge.routes(state))
    if options.get("--name", [state["app"]])[0] != state["app"]:
        sys.exit(f"ERROR: The containerapp '{options['--name'][0]}' does not exist")
    try:
        answer = CALLS[command](state, options)
    except Refused as refusal:
        sys.exit(f"ERROR: {refusal}")
    if json.dumps(edge.routes(state)) != before:
        state["version"] += 1
        edge.write(FOLDER / "routes.json", edge.routes(state))
        applied(str(state["version"]))
    edge.write(FOLDER / "state.json", state)
    with open(FOLDER / "calls.log", "a", encoding="utf-8") as log:
        traffic = {one.get("revisionName") or "latest": one["weight"] for one in state["traffic"] if one["weight"]}
        print(json.dumps({"call": sys.argv[1:], "traffic": traffic}), file=log)
    shown(answer, options)


if __name__ == "__main__":
    main()
