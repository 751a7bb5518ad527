"""A stage while it is being planned."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from boxship.dockerfile.scopes import Scope
from boxship.engine.build.planning.wish import PlannedHistory
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig
from boxship.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Done:
    """An instruction that is planned, for those who count steps."""

    text: str
    vertex: Digest | None
    line: int


@dataclass(slots=True)
class StageState:
    """``tree`` is the vertex of the files so far; None: there are none."""

    index: int
    label: str
    """What vertices' names call it; empty for the only stage of a file."""
    platform: Platform
    tree: Digest | None
    config: ImageConfig
    scope: Scope
    base: Image | None
    base_name: str = ""
    base_id: str = ""
    author: str = ""
    fresh: bool = False
    cmd_set: bool = False
    history: list[PlannedHistory] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    count: int = 0
    total: int = 0

    def named(self, text: str, platform_shown: bool) -> str:
        """Return the name of the next vertex: ``[build 2/5] RUN make``."""
        self.count += 1
        words = [str(self.platform)] if platform_shown else []
        words += [self.label] if self.label else []
        width = len(str(self.total))
        return f"[{' '.join([*words, f'{self.count:>{width}}/{self.total}'])}] {text}"

    def following(self, index: int, label: str, scope: Scope) -> "StageState":
        """Return the beginning of a stage that stands on this one."""
        return StageState(
            index=index,
            label=label,
            platform=self.platform,
            tree=self.tree,
            config=replace(self.config),
            scope=scope,
            base=self.base,
            base_name=self.base_name,
            base_id=self.base_id,
            author=self.author,
            history=list(self.history),
        )
