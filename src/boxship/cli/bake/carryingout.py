"""Building the targets of a plan side by side, each after those that it builds on.

The result of a target that is another's context (``target:name``) gets a name for the time of the
run: the builder takes it as an image of the engine's store, without a copy.
"""

import json
import secrets
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.base.files import write_atomic
from boxship.base.suppress import suppress
from boxship.cli.bake.project import Plan
from boxship.cli.bake.showing import Part, SharedDisplay
from boxship.cli.bake.wishes import Common, inputs_of, needed_targets, options_of
from boxship.cli.building.builders import connected
from boxship.cli.building.calling import call
from boxship.cli.building.inputs import Inputs
from boxship.cli.building.options import BuildOptions
from boxship.cli.building.running import failed, metadata, new_display, push
from boxship.cli.building.solving import Built, build
from boxship.cli.building.specs import STDOUT, Call, Output
from boxship.cli.buildprogress.display import warnings
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.client import images as store
from boxship.client.buildkit.builder import BuildFailedError

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Baking:
    """One run: the plan, what all targets have in common, and which engine builds."""

    session: Session
    common: Common
    plan: Plan

    def carry_out(self, metadata_file: str) -> int:
        """Build everything; return the exit code. The first failure ends what else goes on."""
        bases = {other for one in self.plan.targets.values() for other in needed_targets(one)}
        run = secrets.token_hex(6)
        images = {name: f"localhost/boxship-bake/{run}:{name}" for name in bases}
        wishes = {name: self._wish(name, images) for name in self.plan.targets}
        _check_streams(wishes.values())
        asked = any(wish.options.call.method for wish in wishes.values())
        # Who asks about a target wants no build of it, but what it builds on has to be there.
        built = {name: _built(wish) for name, wish in wishes.items() if not asked or name in images}
        try:
            results = self._side_by_side(built)
            code = self._report(built, results, metadata_file)
            return self._ask(wishes.values()) if asked and not code else code
        finally:
            self._forget(images)

    def _wish(self, name: str, images: Mapping[str, str]) -> "Wish":
        target = self.plan.targets[name]
        options = options_of(name, target, self.common, images)
        if name in images:
            options = _also_named(options, images[name])
        return Wish(name, options, inputs_of(target), needed_targets(target))

    def _ask(self, wishes: Iterable["Wish"]) -> int:
        """Ask the frontend about each target instead of building it."""
        code = 0
        with connected(self.session) as builder:
            for wish in wishes:
                code = call(self.session, wish.options, wish.inputs, builder) or code
        return code

    def _side_by_side(self, wishes: Mapping[str, "Wish"]) -> dict[str, "Result"]:
        """Build each target in a thread, as soon as those that it builds on are there."""
        progress = self.common.progress
        display = new_display(self.session, progress)
        shared = SharedDisplay(display, renames=progress != "rawjson")
        results: dict[str, Result] = {}
        running: dict[Future[Result], str] = {}
        with ThreadPoolExecutor(_AT_ONCE, "bake") as threads:
            try:
                while len(results) < len(wishes):
                    for name, wish in wishes.items():
                        begun = name in results or name in running.values()
                        if not begun and all(one in results for one in wish.needs):
                            part = shared.part(name)
                            running[threads.submit(self._build, wish, part)] = name
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        name = running.pop(future)
                        results[name] = future.result()
                        if results[name].failure is not None:
                            return results
            finally:
                shared.stopped.set()
                threads.shutdown(cancel_futures=True)
                shared.finish(time.time_ns())
        return results

    def _build(self, wish: "Wish", part: Part) -> "Result":
        session = self.session.beside()
        with connected(session) as builder:
            try:
                return Result(part, build(session, wish.options, wish.inputs, builder, part))
            except BuildFailedError as error:
                return Result(part, failure=error)

    def _report(
        self, wishes: Mapping[str, "Wish"], results: Mapping[str, "Result"], metadata_file: str
    ) -> int:
        """Say how it went, push, and write down what is known of the results."""
        silent = self.common.progress in ("quiet", "rawjson", "none")
        told: dict[str, Any] = {}
        for name, result in results.items():
            options = wishes[name].options
            if result.failure is not None:
                self.session.warn(f"target {name}:")
                return failed(self.session, options, result.failure, result.part)
            if not silent and (text := warnings(result.part.trace)):
                self.session.warn(f"\ntarget {name}: {text}")
        for name, wish in wishes.items():
            built = results[name].built
            if built is None:
                continue
            push(self.session, wish.options)
            told[name] = metadata(built.ref, built.response)
            if self.common.progress == "quiet" and built.image:
                self.session.say(built.image)
        if metadata_file:
            _write(metadata_file, json.dumps(told, indent=2, ensure_ascii=False))
        return 0

    def _forget(self, images: Mapping[str, str]) -> None:
        """Take the names of the run away; an image that has another name stays."""
        for image in images.values():
            with suppress(BoxshipError):
                store.remove(self.session.client, image, force=False, prune=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """One target, ready to be built. ``needs`` are the targets that it builds on."""

    name: str
    options: BuildOptions
    inputs: Inputs
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How the build of a target ended."""

    part: Part
    built: Built | None = None
    failure: BuildFailedError | None = None


def _built(wish: Wish) -> Wish:
    """Return the wish as one for a build, whatever was to be asked."""
    return replace(wish, options=replace(wish.options, call=Call()))


def _check_streams(wishes: Iterable[Wish]) -> None:
    outputs = [output for wish in wishes for output in wish.options.outputs]
    if sum(output.destination == STDOUT for output in outputs) > 1:
        raise InvalidArgumentError("only one output can go to standard output")


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
