"""Prints the shell text of a step of deploy/ci/action.yml: action_step.py NAME"""

import pathlib
import sys

import yaml

action = yaml.safe_load((pathlib.Path(__file__).parents[3] / "deploy" / "ci" / "action.yml").read_text(encoding="utf-8"))
[text] = [step["run"] for step in action["runs"]["steps"] if step["name"] == sys.argv[1]]
print(text, end="")
