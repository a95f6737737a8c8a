"""Checks a Bicep file by published types (deploy/azure/arm-types.json): every property, value and reference.

    python deploy/check/bicep.py FILE       each mistake with its path; exit 1 when there is one

Each resource of a known type is walked in step with its type: a property that the type has not, one that only Azure
answers, a text that is none of the allowed, a number where a text belongs. Both branches of a condition are walked. Names that
the file does not declare are mistakes too. What no published type knows (a resource of another type) is a mistake: it was not checked.
Needs pycep-parser. This is no compiler: `az bicep build` needs a download that a closed machine does not have.
"""

import difflib
import json
import pathlib
import re
import sys

import pycep

KNOWN = json.loads((pathlib.Path(__file__).parents[1] / "azure" / "arm-types.json").read_text(encoding="utf-8"))
TYPES = KNOWN["types"]
# Types that a parameter and a property may both have.
PLAIN = {"string", "int", "bool"}
# What Bicep itself adds to a resource.
OF_BICEP = {"dependsOn", "scope", "parent", "name", "location", "tags"}


def accessor(value):
    """`a.b.c` as its names; None for anything else, calls such as `a.listKeys().b` among it."""
    operator = value.get("operator") if set(value) == {"operator"} else None
    if not isinstance(operator, dict) or operator.get("type") != "property_accessor":
        return None
    names, rest = [operator["operands"]["operand_1"]], operator["operands"]["operand_2"]
    while isinstance(rest, dict) and rest.get("operator", {}).get("type") == "property_accessor":
        names.append(rest["operator"]["operands"]["operand_1"])
        rest = rest["operator"]["operands"]["operand_2"]
    names.append(rest)
    return names if all(isinstance(name, str) for name in names) else None


class Check:
    def __init__(self, parsed):
        self.parsed = parsed
        self.names = {name for part in ("parameters", "variables", "resources", "modules") for name in parsed.get(part, {})}
        self.mistakes, self.properties = [], 0

    def wrong(self, path, what):
        self.mistakes.append(f"{path}: {what}")

    def file(self):
        for name, resource in self.parsed.get("resources", {}).items():
            self.references(name, resource["config"])
            root = KNOWN["resources"].get(resource["type"])
            config = resource["config"]
            if "condition" in config and "config" in config:
                config = config["config"]
            if root is None:
                self.wrong(name, f"{resource['type']} is no type that can be checked here; add it to arm_types.py")
            elif not resource["existing"]:
                self.value(name, root, {k: v for k, v in config.items() if k not in OF_BICEP})
                if "name" not in config:
                    self.wrong(name, "it has no name")
        for part in ("variables", "outputs"):
            for name, declared in self.parsed.get(part, {}).items():
                self.references(name, declared["value"])

    def references(self, path, value):
        """Names before a dot, in `${…}` and in a condition have to be declared."""
        if isinstance(value, str):
            for names in re.findall(r"\$\{\s*(\w+(?:\.\w+)*)\s*\}", value):
                self.accessed(path, names.split("."))
        elif isinstance(value, list):
            for one in value:
                self.references(path, one)
        elif isinstance(value, dict):
            accessed = accessor(value)
            if accessed:
                self.accessed(path, accessed)
                return
            operator = value.get("operator")
            named = [*(value.get("dependsOn") or []), value.get("condition")]
            if isinstance(operator, dict):
                named.append(operator.get("operands", {}).get("condition"))
            for name in named:
                if isinstance(name, str) and name not in self.names:
                    self.wrong(path, f"nothing declares {name}")
            for key, one in value.items():
                self.references(path, key)
                self.references(f"{path}.{key}" if key not in ("operator", "operands", "config") else path, one)

    def accessed(self, path, names):
        """`resource.a.b`: the resource is declared, and its type has the property."""
        if names[0] not in self.names:
            return self.wrong(path, f"nothing declares {names[0]}")
        resource = self.parsed.get("resources", {}).get(names[0])
        known = KNOWN["resources"].get(resource["type"]) if resource else None
        for name in names[1:]:
            if known not in TYPES:
                return None
            if name not in TYPES[known]:
                return self.wrong(path, f"{'.'.join(names)}: {known} has no {name}")
            known = TYPES[known][name].removeprefix("read-only ")
        return None

    def value(self, path, written, value):
        """Walks a value in step with its type."""
        if written.startswith("read-only "):
            return self.wrong(path, "only Azure answers it; it cannot be set")
        if isinstance(value, dict) and set(value) == {"operator"} and value["operator"].get("type") == "conditional":
            operands = value["operator"]["operands"]
            self.value(path, written, operands["true_value"])
            return self.value(path, written, operands["false_value"])
        if isinstance(value, dict) and ("operator" in value or "function" in value):
            return None  # an expression: its value is known only when it is deployed
        if isinstance(value, str) and value in self.names:
            declared = self.parsed.get("parameters", {}).get(value, {}).get("type")
            wanted = "string" if written.startswith("`") else written
            if declared in PLAIN and wanted in PLAIN and declared != wanted:
                self.wrong(path, f"the parameter {value} is a {declared}, no {wanted}")
            return None  # a parameter or a variable
        if written.startswith("["):
            if not isinstance(value, list):
                return self.wrong(path, "a list belongs here")
            for place, one in enumerate(value):
                self.value(f"{path}[{place}]", written[1:-1], one)
        elif written.startswith("{"):
            if not isinstance(value, dict):
                return self.wrong(path, "a map belongs here")
            for key, one in value.items():
                self.value(f"{path}.{key}", written[1:-1], one)
        elif written in TYPES:
            self.fields(path, TYPES[written], value)
        elif written.startswith("`"):
            allowed = re.findall(r"`([^`]*)`", written)
            if value not in allowed:
                self.wrong(path, f"{value!r} is none of {', '.join(allowed)}")
        elif written != "any":
            fits = {"string": (str,), "int": (int,), "number": (int, float), "bool": (bool,)}[written]
            if not isinstance(value, fits) or (isinstance(value, bool) and written != "bool"):
                self.wrong(path, f"{value!r} is no {written}")
        return None

    def fields(self, path, fields, value):
        if not isinstance(value, dict):
            return self.wrong(path, "an object belongs here")
        for key, one in value.items():
            self.properties += 1
            if key in fields:
                self.value(f"{path}.{key}", fields[key], one)
            elif "" not in fields:
                near = difflib.get_close_matches(key, fields, 1)
                self.wrong(f"{path}.{key}", "there is no such property" + (f"; is it {near[0]}?" if near else ""))
        return None


def main():
    mistakes = 0
    for name in sys.argv[1:]:
        try:
            parsed = pycep.BicepParser().parse(text=pathlib.Path(name).read_text(encoding="utf-8"))
        except Exception as error:  # the parser's own, and those of the one below it
            print(f"{name}: it cannot be parsed: {error}")
            mistakes += 1
            continue
        check = Check(parsed)
        check.file()
        for mistake in check.mistakes:
            print(f"{name}: {mistake}")
        mistakes += len(check.mistakes)
        print(f"{name}: {len(parsed.get('resources', {}))} resources, {check.properties} properties, {len(check.mistakes)} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
