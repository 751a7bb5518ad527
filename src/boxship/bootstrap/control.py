"""Debian's control files (deb822): paragraphs of ``Field: value`` with continuation lines."""

from collections.abc import Iterator, Mapping


def paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """Yield each paragraph, fields in lower case; lines of a value are joined by newlines.

    What is no field and no continuation is passed over, as apt does.
    """
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += "\n" + line.strip()
                continue
            name, colon, value = line.partition(":")
            name = name.lower() if colon else ""
            if name:
                fields[name] = value.strip()
        if fields:
            yield fields
