"""``boxship buildx imagetools inspect``."""

import sys
from typing import Any

from boxship.cli import kinds
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.command.buildx.registryimages import (
    Document,
    Found,
    Images,
    images,
    platform_text,
    reference,
)
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("format", "", kinds.STRING, "Go template, as '{{json .Manifest}}' or '{{json .Image}}'"),
    Flag("raw", "", kinds.BOOL, "Print the manifest as the registry has it"),
)


def run(session: Session, given: Invocation) -> int:
    name = reference(given.arguments[0])
    with images(session) as found:
        top = found.fetch(name)
        if given.values.on("raw"):
            sys.stdout.flush()
            sys.stdout.buffer.write(top.data)
            return 0
        form = given.values.text("format")
        session.say(_page(top) if form in ("", "{{.Manifest}}") else _formed(form, found, top))
    return 0


def _page(top: Found) -> str:
    lines = [*_lines(_described(top), "")]
    entries = top.document.get("manifests") or () if top.is_index else ()
    if entries:
        lines += ["", "Manifests:"]
    for entry in entries:
        name = f"{top.name.name}@{entry.get('digest', '')}"
        rows = [
            ("Name", name),
            ("MediaType", str(entry.get("mediaType", ""))),
            ("Platform", platform_text(entry)),
        ]
        annotations = entry.get("annotations") or {}
        lines += [*_lines(rows, "  ")]
        lines += ["  Annotations:"] if annotations else []
        lines += [f"    {key}: {annotations[key]}" for key in sorted(annotations)]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _described(top: Found) -> list[tuple[str, str]]:
    return [("Name", str(top.name)), ("MediaType", top.media_type), ("Digest", top.digest)]


def _lines(rows: list[tuple[str, str]], margin: str) -> list[str]:
    return [f"{margin}{title + ':':<11}{value}" for title, value in rows if value]


def _formed(form: str, found: Images, top: Found) -> str:
    from boxship.gotemplate.template import Template

    template = Template(form)
    wanted = template.fields()
    data: dict[str, Any] = {"Name": str(top.name), "Manifest": {**top.descriptor, **top.document}}
    if "Image" in wanted or "." in wanted:
        data["Image"] = _images_of(found, top)
    return template.render(data)


def _images_of(found: Images, top: Found) -> Document:
    """The config, or those of all platforms."""
    if not top.is_index:
        return found.config(top)
    configs: Document = {}
    for entry in top.document.get("manifests") or ():
        platform = platform_text(entry)
        if platform and not platform.startswith("unknown"):
            each = found.fetch(reference(f"{top.name.name}@{entry['digest']}"))
            configs[platform] = found.config(each)
    return configs


COMMAND = Command("[OPTIONS] NAME", ONE, run, FLAGS)
