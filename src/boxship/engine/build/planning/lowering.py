"""Stages and instructions one by one: what each adds to the graph and changes of the config.

A stage is looked at when somebody needs it: the target, a ``FROM`` of one that is needed, a
``COPY --from``. So what leads nowhere is not even in the graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_fields
from typing import TypeVar

from msgspec.structs import replace

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.expansion import described, expand
from boxship.dockerfile.instructions import (
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    Env,
    Files,
    From,
    Healthcheck,
    Instruction,
    Maintainer,
    Onbuild,
    Run,
    Stage,
    Workdir,
)
from boxship.dockerfile.parsing import parse_trigger
from boxship.dockerfile.places import Range
from boxship.dockerfile.scopes import Scope, global_scope, stage_scope
from boxship.engine.build.planning.configs import (
    DEFAULT_PATH,
    applied,
    directory,
    environment,
    probe_of,
    shell_of,
)
from boxship.engine.build.planning.filesteps import planned_files
from boxship.engine.build.planning.origins import SCRATCH, Origins
from boxship.engine.build.planning.runsteps import planned_run
from boxship.engine.build.planning.stage import Done, StageState
from boxship.engine.build.planning.variables import given, of_platforms
from boxship.engine.build.planning.wish import PlannedHistory, Wish
from boxship.engine.build.planning.words import (
    BUILDKIT_COMMENT,
    command_of,
    copied,
    ran,
    wording,
)
from boxship.engine.build.requests import ContextSource, ImageContext, LayoutContext
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.oci.image import ImageConfig
from boxship.oci.platform import Platform, PlatformError
from boxship.solver.graph import Graph
from boxship.solver.operations import Copy as CopyAction
from boxship.solver.operations import FileActions, MakeDirectory, Merge, Operation, Owner

InstructionT = TypeVar("InstructionT", bound=Instruction)


@dataclass(slots=True)
class Lowering:
    """One Dockerfile on its way into one graph."""

    dockerfile: Dockerfile
    wish: Wish
    graph: Graph[Range]
    origins: Origins
    around: Scope = field(init=False)
    stages: dict[int, StageState] = field(default_factory=dict)
    environments: dict[int, dict[str, str]] = field(default_factory=dict)
    """Of the images that stages begin with."""

    def __post_init__(self) -> None:
        self.around = global_scope(
            self.dockerfile.arguments,
            given(self.wish),
            of_platforms(self.wish),
            self._escape,
            classic=self.wish.classic,
        )

    @property
    def _escape(self) -> str:
        return self.dockerfile.directives.escape

    def _expanded(self, instruction: InstructionT, variables: Mapping[str, str]) -> InstructionT:
        return expand(instruction, variables, self._escape).instruction

    @property
    def declared(self) -> set[str]:
        """The arguments that anything needed has declared."""
        found = set(self.around.declared)
        for stage in self.stages.values():
            found |= stage.scope.declared
        return found

    def find(self, name: str, before: int) -> int | None:
        """Return the stage of this name or number among those ``before``; None if there is none."""
        for stage in reversed(self.dockerfile.stages[:before]):
            if stage.name and stage.name == name.lower():
                return stage.index
        return int(name) if name.isdecimal() and int(name) < before else None

    def stage(self, index: int) -> StageState:
        """Plan a stage, unless it is planned."""
        if index not in self.stages:
            source = self.dockerfile.stages[index]
            state = self._begin(source)
            self.stages[index] = state
            for instruction in self._triggers(state, source):
                self._instruction(state, instruction)
            for instruction in source.instructions:
                self._instruction(state, instruction)
        return self.stages[index]

    def _begin(self, source: Stage) -> StageState:
        start = self._expanded(source.start, self.around.variables)
        if not start.base:
            raise DockerfileError("base name is empty: a variable is not set", start.where)
        label = self._label(source)
        platform = self._platform(start)
        context = self.origins.named(start.base)
        below = None if context else self.find(start.base, source.index)
        if below is not None:
            base = self.stage(below)
            scope = stage_scope(self.around, environment(base.config), base.scope)
            state = base.following(source.index, label, scope)
        else:
            state = self._on_image(source, start, label, platform, context)
        fresh = {source.name, str(source.index)} & self.wish.fresh_stages
        state.fresh = self.wish.fresh or bool(fresh)
        state.total += sum(
            isinstance(each, Run | Files | Workdir)
            for each in (*self._trigger_texts(state), *source.instructions)
        )
        if below is None and state.tree is not None:
            self._name_base(state, state.tree, start)
        state.done.append(Done(source.start.code, state.tree, start.where.line_start))
        return state

    def _label(self, source: Stage) -> str:
        if source.name:
            return source.name
        return f"stage-{source.index}" if len(self.dockerfile.stages) > 1 else ""

    def _platform(self, start: From) -> Platform:
        if not start.platform:
            return self.wish.platform
        try:
            return platforms.parse(start.platform)
        except PlatformError as error:
            raise DockerfileError(
                f"failed to parse platform {start.platform}: {error}", start.where
            ) from error

    def _on_image(
        self,
        source: Stage,
        start: From,
        label: str,
        platform: Platform,
        context: ContextSource | None,
    ) -> StageState:
        if context is None and start.base == SCRATCH:
            return self._on_nothing(source, label, platform, None)
        if isinstance(context, LayoutContext):
            base = self.origins.of_layout(context, platform, start.where)
        elif context is None or isinstance(context, ImageContext):
            text = start.base if context is None else context.reference
            base = self.origins.image(text, platform, start.where)
        else:
            tree = self.origins.source(start.base, context, platform, start.where)
            return self._on_files(source, label, platform, tree)
        tree = self.origins.files_of(base, start.base, platform)
        image = base.image
        config = image.config or ImageConfig()
        env = self.environments[source.index] = environment(config)
        scope = stage_scope(self.around, env)
        state = StageState(source.index, label, platform, tree, config, scope, image)
        state.base_name, state.base_id = base.name or start.base, base.id
        state.author, state.total = image.author, 1
        return state

    def _on_files(
        self, source: Stage, label: str, platform: Platform, tree: Digest | None
    ) -> StageState:
        """Begin with a context's files as they are."""
        if tree is not None:
            action = CopyAction(input=0, source="/", destination="/", into_directory=True)
            operation = FileActions((action,), root=None)
            tree = self.graph.add(operation, (tree,), name="[internal] files of a context")
        return self._on_nothing(source, label, platform, tree)

    def _on_nothing(
        self, source: Stage, label: str, platform: Platform, tree: Digest | None
    ) -> StageState:
        config = ImageConfig(
            env=(f"PATH={DEFAULT_PATH}",), working_dir="" if self.wish.classic else "/"
        )
        scope = stage_scope(self.around, environment(config))
        return StageState(source.index, label, platform, tree, config, scope, None)

    def _name_base(self, state: StageState, tree: Digest, start: From) -> None:
        """Let the vertex of the base image be the stage's first step, unless it is another's."""
        if not state.total:
            return
        name = f"FROM {state.base_name}" if state.base_name else self.graph[tree].name
        shown = state.named(name, self.wish.several_platforms)
        if self.graph[tree].name.startswith("FROM "):
            self.graph.rename(tree, shown, start.where)

    def _triggers(self, state: StageState, source: Stage) -> tuple[Instruction, ...]:
        """Take the ``ONBUILD`` instructions out of the config that the stage begins with."""
        found = self._trigger_texts(state)
        if state.config.on_build:
            state.config = replace(state.config, on_build=None)
        return tuple(
            instruction if instruction.where.line_start else _at(instruction, source.start.where)
            for instruction in found
        )

    def _trigger_texts(self, state: StageState) -> tuple[Instruction, ...]:
        return tuple(parse_trigger(text) for text in state.config.on_build or ())

    def _instruction(self, stage: StageState, written: Instruction) -> None:
        instruction = self._expanded(written, stage.scope.variables)
        if isinstance(written, Files | Run):
            text = described(written, stage.scope.variables, self._escape)
            instruction = with_fields(instruction, code=text)
        vertex = None
        match instruction:
            case Run():
                vertex = self._run(stage, instruction)
            case Files():
                vertex = self._files(stage, instruction)
            case Workdir():
                vertex = self._workdir(stage, instruction)
            case Arg() if isinstance(written, Arg):
                self._arg(stage, written, instruction)
            case _:
                self._config(stage, instruction)
        stage.done.append(Done(written.code, vertex, written.where.line_start))

    def _config(self, stage: StageState, instruction: Instruction) -> None:
        probe = None
        if isinstance(instruction, Healthcheck):
            probe = probe_of(instruction, stage.config)
        stage.config = applied(stage.config, instruction, cmd_set=stage.cmd_set)
        shell = shell_of(stage.config)
        stage.cmd_set = stage.cmd_set or isinstance(instruction, Cmd)
        if isinstance(instruction, Env):
            stage.scope = stage.scope.set(instruction)
        if isinstance(instruction, Cmd) and not self.wish.classic:
            stage.config = replace(stage.config, args_escaped=True)  # as BuildKit marks it
        if isinstance(instruction, Maintainer):
            stage.author = instruction.name
        if isinstance(instruction, Onbuild) and not self.wish.classic:
            return  # in no history of BuildKit's
        self._told(stage, wording(instruction, shell=shell, classic=self.wish.classic, probe=probe))

    def _arg(self, stage: StageState, written: Arg, instruction: Arg) -> None:
        stage.scope = stage.scope.declare(written, self._escape)
        if not self.wish.classic:
            values = stage.scope.variables
            definitions = tuple(
                with_fields(each, default=values.get(each.name)) for each in instruction.definitions
            )
            instruction = with_fields(instruction, definitions=definitions)
        shell = shell_of(stage.config)
        self._told(stage, wording(instruction, shell=shell, classic=self.wish.classic))

    def _run(self, stage: StageState, instruction: Run) -> Digest:
        operation, inputs = planned_run(
            instruction, stage, self.wish, lambda name: self._origin(name, stage, instruction)
        )
        vertex = self._step(stage, instruction, operation, inputs)
        scope = stage.scope
        seen = tuple(scope.arguments.items())
        if not self.wish.classic:  # says what ENV has set since, too
            seen = tuple((n, v) for n, v in scope.variables.items() if n in scope.declared)
        command = command_of(instruction.command, shell_of(stage.config))
        self._made(stage, vertex, ran(command, seen, classic=self.wish.classic))
        return vertex

    def _files(self, stage: StageState, instruction: Files) -> Digest:
        name = instruction.origin if isinstance(instruction, Copy) else None
        plan = planned_files(
            instruction,
            root=stage.tree,
            config=stage.config,
            origin=lambda: self._origin(name, stage, instruction),
            graph=self.graph,
            wish=self.wish,
        )
        below, operation = stage.tree, FileActions(plan.actions, plan.root)
        vertex = self._step(stage, instruction, operation, plan.inputs)
        if plan.root is None and below is not None:
            title = f"{self.graph[vertex].name} [linking]"
            stage.tree = self.graph.add(Merge(), (below, vertex), name=title)
        text = copied(instruction, classic=self.wish.classic, shell=shell_of(stage.config))
        self._made(stage, vertex, text)
        return vertex

    def _workdir(self, stage: StageState, instruction: Workdir) -> Digest | None:
        path = directory(stage.config, instruction.path)
        vertex = None
        shell = shell_of(stage.config)
        stage.config = replace(stage.config, working_dir=path)
        told = Workdir(path=path, where=instruction.where, code=f"WORKDIR {path}")
        if path != "/":
            owner = Owner(stage.config.user) if stage.config.user else None
            action = MakeDirectory(
                path,
                owner=None if self.wish.classic else owner,
                modified_ns=self.wish.modified_ns,
            )
            root = None if stage.tree is None else 0
            inputs = () if stage.tree is None else (stage.tree,)
            vertex = self._step(stage, told, FileActions((action,), root), inputs)
        else:
            stage.count += 1
        self._made(stage, vertex, wording(told, shell=shell, classic=self.wish.classic))
        return vertex

    def _step(
        self,
        stage: StageState,
        instruction: Instruction,
        operation: Operation,
        inputs: tuple[Digest, ...],
    ) -> Digest:
        stage.tree = self.graph.add(
            operation,
            inputs,
            name=stage.named(instruction.code, self.wish.several_platforms),
            fresh=stage.fresh,
            place=instruction.where,
        )
        return stage.tree

    def _origin(
        self, name: str | None, stage: StageState, instruction: Instruction
    ) -> Digest | None:
        """Return the files that ``--from`` means; without it, those of the context."""
        place = instruction.where
        if name is None:
            return self.origins.context(place)
        context = self.origins.named(name)
        if context is not None:
            return self.origins.source(name, context, stage.platform, place)
        found = self.find(name, stage.index)
        if found is not None:
            return self.stage(found).tree
        if name.isdecimal() or (self.find(name, len(self.dockerfile.stages)) is not None):
            raise DockerfileError(
                f"invalid from flag value {name}: only stages above this one can be used", place
            )
        return self.origins.image_files(name, stage.platform, place)

    def _told(self, stage: StageState, text: str) -> None:
        comment = "" if self.wish.classic else BUILDKIT_COMMENT
        author = stage.author if self.wish.classic else ""
        stage.history.append(PlannedHistory(text, None, comment, author))

    def _made(self, stage: StageState, vertex: Digest | None, text: str) -> None:
        comment = "" if self.wish.classic else BUILDKIT_COMMENT
        author = stage.author if self.wish.classic else ""
        stage.history.append(PlannedHistory(text, vertex, comment, author))


def _at(instruction: Instruction, place: Range) -> Instruction:
    return with_fields(instruction, where=place)
