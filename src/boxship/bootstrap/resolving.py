"""Which packages an image is made of. Pure: the same offer and wishes give the same answer.

Not apt's resolver: within one release nothing has to be weighed, so the first alternative that is
there already, or exists, is taken. This is how debootstrap has chosen for twenty years.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from boxship.bootstrap.archive import Offer, Package
from boxship.bootstrap.errors import NotOnMirrorError, UnknownDistributionError

Choose = Callable[[Package], bool]

VARIANTS: Mapping[str, Choose] = {
    "essential": lambda package: package.essential,
    "apt": lambda package: package.essential or package.name == "apt",
    "minbase": lambda package: (
        package.essential or package.priority == "required" or package.name == "apt"
    ),
    "important": lambda package: package.essential or package.priority in ("required", "important"),
}
DEFAULT_VARIANT = "minbase"


@dataclass(frozen=True, slots=True)
class Selection:
    """Packages to unpack, in an order in which each comes after what it pre-depends on.

    ``base`` makes a system that runs; ``extra`` is what was asked for on top of it.
    """

    base: tuple[Package, ...]
    extra: tuple[Package, ...]

    @property
    def all(self) -> tuple[Package, ...]:
        return self.base + self.extra


def select(offer: Offer, variant: str, include: Iterable[str]) -> Selection:
    """Choose. Raise NotOnMirrorError naming a package that nobody offers, and who wants it."""
    choose = VARIANTS.get(variant)
    if choose is None:
        known = ", ".join(VARIANTS)
        raise UnknownDistributionError(f"unknown variant {variant!r}: use one of {known}")
    roots = sorted(package.name for package in offer.packages.values() if choose(package))
    base: dict[str, Package] = {}
    _close(offer, roots, base)
    everything = dict(base)
    _close(offer, [_existing(offer, name) for name in include], everything)
    extra = [package for name, package in everything.items() if name not in base]
    return Selection(tuple(_ordered(base.values())), tuple(_ordered(extra)))


def _existing(offer: Offer, name: str) -> str:
    if name not in offer.packages and name not in offer.providers:
        raise NotOnMirrorError(f"the mirror has no package {name!r}")
    return name


def _close(offer: Offer, roots: Iterable[str], chosen: dict[str, Package]) -> None:
    """Add roots and, breadth first, all they depend on."""
    waiting: list[tuple[tuple[str, ...], str]] = [((name,), "") for name in roots]
    while waiting:
        group, wanted_by = waiting.pop(0)
        package = _pick(offer, group, chosen)
        if package is None:
            raise NotOnMirrorError(f"{wanted_by} depends on {' | '.join(group)}: not on the mirror")
        if package.name not in chosen:
            chosen[package.name] = package
            needs = (*package.pre_depends, *package.depends)
            waiting += [(need, package.name) for need in needs]


def _pick(offer: Offer, group: tuple[str, ...], chosen: Mapping[str, Package]) -> Package | None:
    for name in group:
        for real in (name, *offer.providers.get(name, ())):
            if real in chosen:
                return chosen[real]
    for name in group:
        for real in (name, *offer.providers.get(name, ())):
            if real in offer.packages:
                return offer.packages[real]
    return None


def _ordered(packages: Iterable[Package]) -> Iterator[Package]:
    """By name, but what is pre-depended on first."""
    left = {package.name: package for package in sorted(packages, key=lambda one: one.name)}
    provided = {virtual: one.name for one in left.values() for virtual in one.provides}
    done: set[str] = set()

    def visit(package: Package) -> Iterator[Package]:
        if package.name in done:
            return
        done.add(package.name)
        for name in (name for group in package.pre_depends for name in group):
            needed = left.get(name) or left.get(provided.get(name, ""))
            if needed is not None:
                yield from visit(needed)
        yield package

    for package in left.values():
        yield from visit(package)
