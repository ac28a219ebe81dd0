"""Hooks of the documentation site: pages that are generated from the code.

MkDocs calls the functions by their names. ``<!-- commands -->`` in a page becomes the reference of
the command line, from the Typer application; ``<!-- http -->`` becomes the reference of the HTTP
API, from its OpenAPI document; ``<!-- layers -->`` becomes the layers, from ``pyproject.toml``;
``<!-- notebook -->`` becomes the notebook of the example, with its outputs.
Links out of ``docs/`` lead to the repository. Roles in docstrings (``:func:``, ``:class:``) become
links within the page.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from genrelens.cli import app
from genrelens.cli.command import placeholder
from genrelens.web.app import create_app
from genrelens.web.settings import Settings

_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:[\w.-]+/)*[\w.-]+)\)")
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>(~?[\w.]+)</code>")
_HEADING = re.compile(r'<h\d id="(genrelens[\w.]+)"')


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Fill in the generated parts of a page."""
    generated = {
        "commands": _commands,
        "http": _operations,
        "layers": _layers,
        "notebook": notebook_markdown,
    }
    for name, make in generated.items():
        if (marker := f"<!-- {name} -->") in markdown:
            markdown = markdown.replace(marker, "\n".join(make()))
    known = {file.src_uri for file in files}

    def to_repository(match: re.Match[str]) -> str:
        inside = match[1] in known
        return match[0] if inside else f"]({config['repo_url']}/blob/main/{match[1]})"

    return _OUTSIDE.sub(to_repository, markdown)


def on_page_content(html: str, *, page: Any, config: Any, files: Any) -> str:
    """Turn the roles of docstrings into links within the page, and ``Example::`` into text."""
    anchors = _HEADING.findall(html)

    def link(match: re.Match[str]) -> str:
        name = match[1].rpartition(".")[2] if match[1].startswith("~") else match[1]
        found = [anchor for anchor in anchors if f".{anchor}".endswith(f".{name}")]
        code = f"<code>{name}</code>"
        return f'<a href="#{found[0]}">{code}</a>' if len(found) == 1 else code

    return _ROLE.sub(link, html.replace("<p>::</p>", "")).replace("::</p>", ":</p>")


# ------------------------------------------------------------------------------ commands


def _commands() -> Iterator[str]:
    for name, command in _flat(typer.main.get_command(app), "genrelens"):
        yield f"## {name}\n"
        yield f"{command.help}\n"
        arguments = [placeholder(p) for p in command.params if p.param_type_name == "argument"]
        yield f"```text\n{' '.join([name, '[OPTIONS]', *arguments])}\n```\n"
        yield from _parameters(command)
        examples = "\n\n".join(f"# {text}\n{line}" for line, text in command.examples)
        yield f"Examples:\n\n```sh\n{examples}\n```\n"


def _flat(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    children = getattr(command, "commands", None)
    if not children:
        yield name, command
        return
    for child in children.values():
        yield from _flat(child, f"{name} {child.name}")


def _parameters(command: Any) -> Iterator[str]:
    yield "| parameter | meaning | default |"
    yield "|---|---|---|"
    for param in command.params:
        if not param.hidden:
            is_option = param.param_type_name == "option"
            names = [f"`{name}`" for name in (*param.opts, *param.secondary_opts) if is_option]
            takes_value = not (is_option and param.is_flag)
            value = [f"`{_value(param)}`"] if takes_value else []
            text = re.sub(r"([|*])", r"\\\1", param.help or "")
            cell = " ".join(filter(None, [", ".join(names), *value]))
            yield f"| {cell} | {text} | {_default(param)} |"
    yield ""


def _value(param: Any) -> str:
    choices = param.type_descriptor.choices
    return ", ".join(map(str, choices)) if choices and not param.metavar else placeholder(param)


def _default(param: Any) -> str:
    if isinstance(param.show_default, str):
        return str(param.show_default)
    plain = isinstance(param.default, str | int | float) and not isinstance(param.default, bool)
    return f"`{param.default}`" if plain and param.show_default is not False else ""


# -------------------------------------------------------------------------------- layers


def _layers() -> Iterator[str]:
    """Write the layers of ``pyproject.toml``: one a line, and those within a package as a list."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    for contract in (each for each in contracts if each["type"] == "layers"):
        layers = [
            layer.replace("genrelens.", "").replace(" | ", ", ") for layer in contract["layers"]
        ]
        if "containers" in contract:
            yield f"- Within `{contract['containers'][0]}`: {' > '.join(layers)}"
        else:
            yield "```text\n" + "\n".join(layers) + "\n```\n"
    yield ""


# ------------------------------------------------------------------------------ notebook


def notebook_markdown(path: Path = Path("docs/notebooks/library.ipynb")) -> Iterator[str]:
    """Yield the cells of a notebook and their outputs as Markdown."""
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield f"{source}\n"
        else:
            yield f"```python\n{source}\n```\n"
            yield from map(_output, cell["outputs"])


def _output(output: dict[str, Any]) -> str:
    """Return an output as HTML on one line, or as text."""
    data = output.get("data", {})
    if "text/html" in data:
        return " ".join("".join(data["text/html"]).split()) + "\n"
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"```text\n{text.rstrip()}\n```\n"


# ---------------------------------------------------------------------------------- HTTP


def _operations() -> Iterator[str]:
    document = create_app(Settings()).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"## {method.upper()} {path}\n"
            yield f"{operation.get('description') or operation.get('summary', '')}\n"
            yield from _query(operation.get("parameters", []))
            yield from _answers(operation["responses"])
    yield "## Schemas\n"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)


def _query(parameters: list[dict[str, Any]]) -> Iterator[str]:
    if parameters:
        yield "| parameter | type | meaning |"
        yield "|---|---|---|"
        for each in parameters:
            kind = _type(each["schema"])
            yield f"| `{each['name']}` | {kind} | {each.get('description', '')} |"
        yield ""


def _answers(responses: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| status | meaning |"
    yield "|---|---|"
    for status, response in responses.items():
        yield f"| {status} | {response['description']} |"
    yield ""


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{schema.get('description', '')}\n"
    if "properties" in schema:
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for field, value in schema["properties"].items():
            yield f"| `{field}` | {_type(value)} | {value.get('description', '')} |"
        yield ""


def _type(schema: dict[str, Any]) -> str:
    """Write the type of a value in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("type", "any"))
