"""Templates: quoted texts and heredocs, with ``${…}`` and ``%{ if }``, ``%{ for }`` in them."""

import re
import textwrap
from collections.abc import Callable

from boxship.cli.bake.hcl.scanner import Scanner
from boxship.cli.bake.hcl.syntax import (
    Conditional,
    Expression,
    Literal,
    Place,
    Template,
    TemplateFor,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_HEREDOC = re.compile(r"<<(-?)([^\W\d][\w-]*)[ \t]*\r?\n")

Reader = Callable[[Scanner], Expression]
"""Reads one expression; given by the parser of expressions, which in turn needs templates."""


def quoted(scanner: Scanner, read: Reader) -> Template:
    """Read a text in quotes; the scanner is at the first one."""
    place = scanner.place()
    scanner.at += 1
    template = _Parts(scanner, read, quoted=True).template(place)
    if scanner.text[scanner.at : scanner.at + 1] != '"':
        scanner.fail("a text that begins with a quote has to end with one on the same line")
    scanner.at += 1
    return template


def heredoc(scanner: Scanner, read: Reader) -> Template | None:
    """Read ``<<NAME``; ``None`` if there is none here."""
    scanner.skip()
    opened = _HEREDOC.match(scanner.text, scanner.at)
    if opened is None:
        return None
    end = re.compile(rf"^[ \t]*{re.escape(opened[2])}[ \t]*\r?$", re.MULTILINE)
    closed = end.search(scanner.text, opened.end())
    if closed is None:
        scanner.fail(f"a heredoc that no line {opened[2]} ends")
    place = scanner.place(opened.end())
    text = scanner.text[opened.end() : closed.start()]
    scanner.at = closed.end()
    inner = Scanner(_dedented(text) if opened[1] else text, scanner.file, place.line)
    return whole_template(inner, read)


def whole_template(scanner: Scanner, read: Reader) -> Template:
    """Read all of a text as a template, without quotes around it."""
    template = _Parts(scanner, read, quoted=False).template(scanner.place())
    if not scanner.ended:
        scanner.fail("%{ else }, %{ endif } or %{ endfor } without a beginning")
    return template


def _dedented(text: str) -> str:
    return textwrap.dedent(text)


class _Parts:
    """Reads the parts of a template, up to its end or to a directive that ends a part of it."""

    def __init__(self, scanner: Scanner, read: Reader, *, quoted: bool) -> None:
        self.scanner, self.read, self.quoted = scanner, read, quoted

    def template(self, place: Place, *, strip: bool = False) -> Template:
        """Read until the closing quote, the end, or ``%{ else/endif/endfor }``.

        ``strip`` tells that a ``~`` before it takes the spaces at the beginning away.
        """
        scanner = self.scanner
        scanner.deeper()
        parts: list[Expression] = []
        while not self._at_end():
            if scanner.text.startswith(("${", "%{"), scanner.at):
                self._strip_before(parts)
                parts.append(self._part())
                strip = scanner.text[scanner.at - 2] == "~"
            else:
                literal = self._literal()
                parts.append(_stripped(literal, right=False) if strip else literal)
                strip = False
        self._strip_before(parts)
        scanner.depth -= 1
        return Template(tuple(parts), place)

    def _strip_before(self, parts: list[Expression]) -> None:
        """Take the spaces away that a ``~`` behind ``${`` or ``%{`` asks to be taken away."""
        if parts and self.scanner.text.startswith(("${~", "%{~"), self.scanner.at):
            parts[-1] = _stripped(parts[-1], right=True)

    def _at_end(self) -> bool:
        scanner = self.scanner
        if scanner.ended or (self.quoted and scanner.text[scanner.at] in '"\n'):
            return True
        return bool(re.compile(r"%\{~?\s*(?:else|endif|endfor)\b").match(scanner.text, scanner.at))

    def _literal(self) -> Literal:
        scanner = self.scanner
        place, result = scanner.place(), ""
        while not scanner.ended:
            text, at = scanner.text, scanner.at
            if text.startswith(("$${", "%%{"), at):
                result += text[at + 1 : at + 3]
                scanner.at += 3
            elif text.startswith(("${", "%{"), at) or (self.quoted and text[at] in '"\n'):
                break
            elif self.quoted and text[at] == "\\":
                result += self._escape()
            else:
                result += text[at]
                scanner.at += 1
        return Literal(result, place)

    def _escape(self) -> str:
        scanner = self.scanner
        match = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))").match(
            scanner.text, scanner.at
        )
        code = match and (match[1] or match[2])
        if match is None or (not code and match[3] not in _ESCAPES):
            scanner.fail(
                "only n, r, t, a quote, a backslash or u and four digits follow a backslash"
            )
        scanner.at = match.end()
        if not code:
            return _ESCAPES[match[3]]
        if int(code, 16) > 0x10FFFF or 0xD800 <= int(code, 16) < 0xE000:
            scanner.fail("no such character")
        return chr(int(code, 16))

    def _part(self) -> Expression:
        scanner = self.scanner
        directive = scanner.text[scanner.at] == "%"
        scanner.at += 3 if scanner.text.startswith("~", scanner.at + 2) else 2
        scanner.within += 1
        try:
            if directive:
                return self._branches()
            found = self.read(scanner)
            self._close()
            return found
        finally:
            scanner.within -= 1

    def _close(self) -> bool:
        """Take the brace that ends a part; tell whether spaces behind it go, too."""
        strip = self.scanner.take("~")
        self.scanner.expect("}", "to end what is evaluated within a text")
        return strip

    def _branches(self) -> Expression:
        if self.scanner.keyword("if"):
            return self._if()
        if self.scanner.keyword("for"):
            return self._for()
        return self.scanner.fail("expected if or for behind %{")

    def _if(self) -> Expression:
        place = self.scanner.place()
        condition = self.read(self.scanner)
        then = self.template(place, strip=self._close())
        otherwise = Template((), place)
        if self._directive("else"):
            otherwise = self.template(place, strip=self.scanner.text[self.scanner.at - 2] == "~")
        if not self._directive("endif"):
            self.scanner.fail("%{ if } without %{ endif }")
        return Conditional(condition, then, otherwise, place)

    def _for(self) -> Expression:
        scanner = self.scanner
        place = scanner.place()
        key, value = "", scanner.identifier()
        if scanner.take(","):
            key, value = value, scanner.identifier()
        if not value or not scanner.keyword("in"):
            scanner.fail("expected %{ for name in collection }")
        of = self.read(scanner)
        body = self.template(place, strip=self._close())
        if not self._directive("endfor"):
            scanner.fail("%{ for } without %{ endfor }")
        return TemplateFor(key, value, of, body, place)

    def _directive(self, word: str) -> bool:
        match = re.compile(rf"%\{{~?\s*{word}\s*~?\}}").match(self.scanner.text, self.scanner.at)
        if match is None:
            return False
        self.scanner.at = match.end()
        return True


def _stripped(part: Expression, *, right: bool) -> Expression:
    """Take the spaces off that ``~`` asks to be taken off."""
    if isinstance(part, Literal) and isinstance(part.value, str):
        return Literal(part.value.rstrip() if right else part.value.lstrip(), part.place)
    return part
