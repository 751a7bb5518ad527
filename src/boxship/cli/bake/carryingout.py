"""Building the targets of a plan, one after the other, each after those that it builds on.

The result of a target that is another's context (``target:name``) gets a name for the time of the
run: the builder takes it as an image of the engine's store, without a copy.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from boxship.base.errors import BoxshipError
from boxship.base.files import write_atomic
from boxship.base.suppress import suppress
from boxship.cli.bake.project import Plan
from boxship.cli.bake.target import Target
from boxship.cli.bake.wishes import Common, inputs_of, needed_targets, options_of
from boxship.cli.building.calling import call
from boxship.cli.building.options import BuildOptions
from boxship.cli.building.running import failed, metadata, new_display, push
from boxship.cli.building.solving import build
from boxship.cli.building.specs import Output
from boxship.cli.buildprogress.display import warnings
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.client import images as store
from boxship.client.buildkit.builder import Builder, BuildFailedError


def in_order(targets: Mapping[str, Target]) -> Iterator[str]:
    """Yield the names of all targets, those that others build on before them."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done:
            return
        done.add(name)
        for other in needed_targets(targets[name]):
            yield from visit(other)
        yield name

    for name in targets:
        yield from visit(name)


@dataclass(frozen=True, slots=True)
class Baking:
    """One run: the plan, what all targets have in common, and who builds."""

    session: Session
    builder: Builder
    common: Common
    plan: Plan

    def carry_out(self, metadata_file: str) -> int:
        """Build everything; return the exit code. The first failure ends it."""
        targets = self.plan.targets
        bases = {other for one in targets.values() for other in needed_targets(one)}
        run = secrets.token_hex(6)
        images = {name: f"localhost/boxship-bake/{run}:{name}" for name in bases}
        told: dict[str, Any] = {}
        try:
            for name in in_order(targets):
                options = options_of(name, targets[name], self.common, images)
                if name in images:
                    options = _also_named(options, images[name])
                code = self._build(name, options, told)
                if code:
                    return code
        finally:
            self._forget(images)
        if metadata_file:
            _write(metadata_file, json.dumps(told, indent=2, ensure_ascii=False))
        return 0

    def _build(self, name: str, options: BuildOptions, told: dict[str, Any]) -> int:
        session, progress = self.session, options.reporting.progress
        inputs = inputs_of(self.plan.targets[name])
        if options.call.method:
            return call(session, options, inputs, self.builder)
        silent = progress in ("quiet", "rawjson", "none")
        if not silent:
            session.warn(f"[{name}]")
        display = new_display(session, progress)
        try:
            built = build(session, options, inputs, self.builder, display)
        except BuildFailedError as error:
            session.warn(f"target {name}:")
            return failed(session, options, error, display)
        if not silent and (text := warnings(display.trace)):
            session.warn(f"\n {text}")
        push(session, options)
        told[name] = metadata(built.ref, built.response)
        if progress == "quiet" and built.image:
            session.say(built.image)
        return 0

    def _forget(self, images: Mapping[str, str]) -> None:
        """Take the names of the run away; an image that has another name stays."""
        for image in images.values():
            with suppress(BoxshipError):
                store.remove(self.session.client, image, force=False, prune=True)


def _also_named(options: BuildOptions, image: str) -> BuildOptions:
    """Return the options of a result that has to be in the engine's store, whatever its outputs."""
    kept = [output for output in options.outputs if not output.is_image]
    return replace(
        options,
        tags=(*options.tags, image),
        outputs=(*kept, Output("image", {})) if options.outputs else (),
    )


def _write(path: str, text: str) -> None:
    try:
        write_atomic(path, text.encode(), mode=0o644)
    except OSError as error:
        raise ExitError(FAILURE, f"cannot write {path}: {error.strerror}") from error
