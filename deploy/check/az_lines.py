"""Checks `az` command lines by what azure-cli's parser knows (deploy/azure/az-flags.json): command, options, values, choices.

    python deploy/check/az_lines.py FILE…       each mistake as FILE:LINE: what is wrong; exit 1 when there is one

Read are shell scripts, workflows and pipelines (all but comments), Markdown (code alone), Rust and Python (texts alone).
What is between quotes and holds a variable, `<NAME>` or `{name}` stands for any value. A line that ends in `…` may lack
required options, as one between backticks may. Nothing is run.
"""

import difflib
import json
import pathlib
import re
import sys

FLAGS = json.loads((pathlib.Path(__file__).parents[1] / "azure" / "az-flags.json").read_text(encoding="utf-8"))
COMMANDS = FLAGS["commands"]
FIRST_WORDS = {command.split()[0] for command in COMMANDS}
# Where a command line ends outside quotes.
ENDS = set("\n;|&)`>\"'")
# Values that only the shell, or a reader, knows.
OPEN = re.compile(r"[$<{]|^[A-Z][A-Z0-9_]*$|…")


def options(command):
    """By each of its names, what the option takes; and the options that must be there."""
    every = FLAGS["everywhere"] + COMMANDS[command]
    return {name: option for option in every for name in option["names"]}, [o for o in every if o.get("required")]


def like(word, known):
    found = difflib.get_close_matches(word, known, 1)
    return f"; is it {found[0]}?" if found else ""


def fragment(words):
    """Whether a program or a sentence names but a group of commands: `az containerapp`."""
    return " ".join(words) in {command[: place.start()] for command in COMMANDS for place in re.finditer(" ", command)}


def command_of(words):
    """The command that the line begins with, and how many words it has; None with a complaint."""
    for length in range(len(words), 0, -1):
        if " ".join(words[:length]) in COMMANDS:
            return " ".join(words[:length]), length, None
    named = []
    for word in words:
        if word.startswith("-") or OPEN.search(word):
            break
        named.append(word)
    named = " ".join(named) or "(nothing)"
    return None, 0, f"no command `az {named}`{like(named, COMMANDS)}"


def complaints(words, whole=True):
    """What azure-cli would refuse in the words after `az`; `whole`: whether required options must be there."""
    command, length, wrong = command_of(words)
    if wrong:
        return [wrong]
    known, required = options(command)
    positional = [o for o in COMMANDS[command] if not o["names"]]
    found, used, rest = [], set(), words[length:]
    while rest:
        word = rest.pop(0)
        if word in ("…", "...") or re.fullmatch(r"\$@|\$\{\w+\[@\]\}", word):
            whole = False
            continue
        if not word.startswith("-"):
            if positional:
                used.add(id(positional.pop(0)))
            else:
                found.append(f"`{word}` belongs to no option of `az {command}`")
            continue
        name, joined, value = word.partition("=")
        option = known.get(name)
        if option is None:
            found.append(f"`az {command}` has no option {name}{like(name, known)}")
            while rest and not rest[0].startswith("-"):
                rest.pop(0)
            continue
        used.add(id(option))
        values = [value] if joined else []
        takes = option["takes"]
        while not joined and rest and not rest[0].startswith("-") and (takes in "*+" or (takes != "0" and not values)):
            values.append(rest.pop(0))
        if takes == "0" and joined:
            found.append(f"{name} takes no value")
        elif takes not in "0?*" and not values:
            found.append(f"{name} needs a value")
        for one in values:
            choices = option.get("choices")
            if choices and not OPEN.search(one) and one.lower() not in [choice.lower() for choice in choices]:
                found.append(f"{name} {one}: it takes one of {', '.join(choices)}")
    if whole:
        for option in required:
            if id(option) not in used:
                found.append(f"`az {command}` needs {' or '.join(option['names']) or 'another word'}")
    return found


def substitution(text, at):
    """Where `$(…)` that begins at `at` ends."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0 and text[place] == ")":
            return place + 1
    return len(text)


def words_at(text, at):
    """The words of the command line that begins there, quotes taken off; variables stay as they are written."""
    words, word, quote, any_of_it = [], "", "", False
    while at < len(text):
        sign = text[at]
        if text.startswith("\\\n", at):
            sign, at = " ", at + 1
        elif sign == "<" and (placeholder := re.compile(r"<[\w -]+>").match(text, at)):
            word, at, any_of_it = word + placeholder[0], placeholder.end(), True
            continue
        elif sign == "$" and quote != "'" and text.startswith("$(", at):
            end = substitution(text, at + 1)
            word, at, any_of_it = word + "$(…)", end, True
            continue
        elif sign == "\\" and quote != "'" and at + 1 < len(text):
            word, at, any_of_it = word + text[at + 1], at + 2, True
            continue
        if quote:
            if sign == quote:
                quote = ""
            else:
                word += sign
        elif sign in "\"'" and (not word or word[-1] in "=,") and text.find(sign, at + 1) > 0:
            quote, any_of_it = sign, True
        elif sign == "2" and text.startswith("2>", at) and not word or sign == "<" or sign in ENDS:
            break
        elif sign.isspace():
            if any_of_it:
                words.append(word)
            word, any_of_it = "", False
            at += 1
            continue
        else:
            word, any_of_it = word + sign, True
        at += 1
    return words + [word] if any_of_it else words


def blanked(text, pattern):
    """The text with what matches replaced by spaces, so that places stay."""
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.M | re.S)


def unescaped(literal):
    """What a text between double quotes says; a quote in it becomes a single one, which ends nothing."""
    said = {"n": "\n", '"': "'", "\\": "\\", "t": " "}
    return re.sub(r"\\(\n\s*|.)", lambda match: said.get(match[1], "" if match[1][0] == "\n" else match[0]), literal)


def regions(path, text):
    """Begin, text and whether the line is whole, of all that may be a command line."""
    if path.suffix == ".md":
        for block in re.finditer(r"^```\w*\n(.*?)^```", text, re.M | re.S):
            yield block.start(1), blanked(block[1], r"(?:^|(?<=\s))#[^\n]*"), True
        for span in re.finditer(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)", blanked(text, r"^```.*?^```")):
            yield span.start(1), span[1].replace("\n", " "), False
    elif path.suffix in (".rs", ".py"):
        for literal in re.finditer(r'"((?:[^"\\]|\\.)*)"', text, re.S):
            yield literal.start(1), unescaped(literal[1]), False
    else:
        yield 0, blanked(text, r"(?:^|(?<=\s))#[^\n]*"), True


def lines(path, text):
    """Every `az` command line of a file: its line number, its words, and whether it is whole."""
    for begin, region, whole in regions(path, text):
        for match in re.finditer(r"(?<![\w/.$-])az (?=[a-z]|\\\n)", region):
            words = words_at(region, match.end())
            starts = not region[: match.start()].strip() or region[match.start() - 1] == "`"
            # In a text of a program `az` may be a word of a sentence.
            if path.suffix in (".rs", ".py") and not starts and (not words or words[0] not in FIRST_WORDS):
                continue
            yield text.count("\n", 0, begin + match.start()) + 1, words, whole


def main():
    mistakes = checked = 0
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        for number, words, whole in lines(path, path.read_text(encoding="utf-8")):
            if not whole and fragment(words):
                continue
            checked += 1
            for complaint in complaints(words, whole):
                mistakes += 1
                print(f"{name}:{number}: {complaint}")
    print(f"{checked} az lines, {mistakes} mistakes ({FLAGS['made from']})")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
