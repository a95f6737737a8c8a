"""Writes deploy/azure/arm-types.json: the properties and values of the resources in main.bicep, as published for Python.

    python -m venv /tmp/arm && /tmp/arm/bin/pip install azure-mgmt-appcontainers==5.1.0 azure-mgmt-authorization==5.0.0b2 \
        azure-mgmt-containerregistry==15.1.0b3 azure-mgmt-loganalytics==13.0.0b4 azure-mgmt-msi==7.1.0 msrest==0.7.1 six==1.17.0
    /tmp/arm/bin/python deploy/check/arm_types.py          (scripts/soak azure does both)

The model classes are read, nothing is sent. bicep.py checks a Bicep file against the result. A type is written as

    string, int, number, bool, any      `a`|`b`         one of these texts
    [T]    a list of T                  {T}             a map of T by any name
    Name   an object, in `types`        read-only T     answered by Azure, never set
"""

import enum
import importlib
import importlib.metadata
import json
import pathlib
import re
import types
import typing

TYPES = pathlib.Path(__file__).parents[1] / "azure" / "arm-types.json"
ROOTS = {
    "Microsoft.App/containerApps": ("appcontainers", "ContainerApp"),
    "Microsoft.App/jobs": ("appcontainers", "Job"),
    "Microsoft.App/managedEnvironments": ("appcontainers", "ManagedEnvironment"),
    "Microsoft.Authorization/roleAssignments": ("authorization", "RoleAssignmentCreateParameters"),
    "Microsoft.ContainerRegistry/registries": ("containerregistry", "Registry"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("msi", "Identity"),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "Workspace"),
}
# What a template may set although the service's answers call it read-only.
SET_IN_TEMPLATES = {"name", "location", "tags"}
PLAIN = {str: "string", int: "int", float: "number", bool: "bool"}
OLD = {"str": "string", "int": "int", "float": "number", "bool": "bool"}


class Reader:
    def __init__(self):
        self.types = {}

    def model(self, package, name):
        """The type's name among `types`, with all that it leads to."""
        key = f"{package}.{name}"
        if key not in self.types:
            self.types[key] = {}
            models = importlib.import_module(f"azure.mgmt.{package}.models")
            read = self.old if hasattr(getattr(models, name), "_attribute_map") else self.new
            self.types[key] = dict(sorted(read(package, models, getattr(models, name), key).items()))
        return key

    def new(self, package, models, model, _):
        """A class of the generator with `rest_field`."""
        model.__new__(model)  # the class learns its fields' names with its first instance
        # A property that every answer has is written without the text "read" alone.
        hints = {}
        for base in reversed(model.__mro__):
            for attribute, hint in vars(base).get("__annotations__", {}).items():
                hints[attribute] = hint
        fields = {}
        for attribute, field in model._attr_to_rest_field.items():
            written = self.hint(package, models, hints.get(attribute, typing.Any))
            read_only = field._visibility == ["read"] and field._rest_name not in SET_IN_TEMPLATES
            fields[field._rest_name] = f"read-only {written}" if read_only else written
        return fields

    def hint(self, package, models, hint):
        if isinstance(hint, typing.ForwardRef):
            hint = hint.__forward_arg__
        if isinstance(hint, str):
            known = {"_models": models, "datetime": importlib.import_module("datetime"), **vars(typing)}
            return self.hint(package, models, eval(hint, known))  # the SDK's own annotation
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            found = [self.hint(package, models, one) for one in inner if one is not type(None)]
            named = [one for one in found if one.startswith("`")]
            return (named or found)[0]
        if origin is list:
            return f"[{self.hint(package, models, inner[0])}]"
        if origin is dict:
            return f"{{{self.hint(package, models, inner[1])}}}"
        if origin is typing.Literal:
            values = [one.value if isinstance(one, enum.Enum) else str(one) for one in inner]
            return "|".join(f"`{value}`" for value in values)
        if hint in PLAIN:
            return PLAIN[hint]
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return "|".join(f"`{one.value}`" for one in hint)
        if isinstance(hint, type) and hasattr(models, hint.__name__):
            return self.model(package, hint.__name__)
        return "string" if getattr(hint, "__module__", "") == "datetime" else "any"

    def old(self, package, models, model, key):
        """A class of the generator with `_attribute_map`, whose keys may lead through `properties.`."""
        fields = {}
        for attribute, entry in model._attribute_map.items():
            written = self.old_type(package, models, entry["type"])
            if model._validation.get(attribute, {}).get("readonly") and attribute not in SET_IN_TEMPLATES:
                written = f"read-only {written}"
            path = re.split(r"(?<!\\)\.", entry["key"])
            below, owner = fields, key
            for step in path[:-1]:
                owner = f"{owner}.{step}"
                below[step] = owner
                below = self.types.setdefault(owner, {})
            below[path[-1].replace("\\", "")] = written
        return fields

    def old_type(self, package, models, written):
        if written.startswith("[") or written.startswith("{"):
            return written[0] + self.old_type(package, models, written[1:-1]) + written[-1]
        if written in OLD:
            return OLD[written]
        found = getattr(models, written, None)
        if isinstance(found, type) and issubclass(found, enum.Enum):
            return "|".join(f"`{one.value}`" for one in found)
        return self.model(package, written) if isinstance(found, type) else "any"


def main():
    reader = Reader()
    resources = {name: reader.model(*root) for name, root in ROOTS.items()}
    packages = sorted({f"azure-mgmt-{package}" for package, _ in ROOTS.values()})
    made = [f"{package} {importlib.metadata.version(package)}" for package in packages]
    lines = [f"  {json.dumps(name)}: {json.dumps(fields)}" for name, fields in sorted(reader.types.items())]
    text = f'{{\n "made from": {json.dumps(made)},\n "resources": {json.dumps(resources, indent=2)},\n "types": {{\n'
    TYPES.write_text(text + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")
    print(f"{TYPES}: {len(resources)} resources, {len(reader.types)} types")


if __name__ == "__main__":
    main()
