"""Where files come from that are not of the stage itself: contexts, images, other stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.places import Range
from boxship.engine.build.planning.wish import BaseImage, ImageKey, ImageNeed, Wish, image_key
from boxship.engine.build.requests import (
    CONTEXT,
    ContextSource,
    EmptyContext,
    ImageContext,
    LayoutContext,
    TargetContext,
)
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError
from boxship.solver.graph import Graph
from boxship.solver.operations import ImageSource, LocalSource

SCRATCH = "scratch"
_UNKNOWN = BaseImage("", Image(config=ImageConfig()), ())


@dataclass(slots=True)
class Origins:
    """Adds sources to the graph. What images it lacks is in ``missing``."""

    wish: Wish
    graph: Graph[Range]
    known: Mapping[ImageKey, BaseImage]
    missing: dict[ImageKey, ImageNeed] = field(default_factory=dict)
    used: dict[ImageKey, BaseImage] = field(default_factory=dict)

    def context(self, place: Range) -> Digest | None:
        """Return the main context."""
        source = self.wish.context
        if source is None or isinstance(source, EmptyContext):
            raise DockerfileError("there is no build context to take files from", place)
        return self.source(CONTEXT, source, self.wish.platform, place)

    def named(self, name: str) -> ContextSource | None:
        """Return the named context that goes before a stage or an image of this name."""
        return self.wish.contexts.get(name.lower(), self.wish.contexts.get(name))

    def source(
        self, name: str, source: ContextSource, platform: Platform, place: Range
    ) -> Digest | None:
        """Return the vertex of a context; None for one that is empty."""
        match source:
            case EmptyContext():
                return None
            case ImageContext(reference=text):
                return self.image_files(text, platform, place)
            case LayoutContext():
                base = self.of_layout(source, platform, place)
                return self.files_of(base, source.reference, platform)
            case TargetContext():
                raise DockerfileError(
                    f"context {name}: the target {source.name} is not here", place
                )
        ignored = self.wish.ignored if name == CONTEXT else ()
        title = "[internal] load build context" if name == CONTEXT else f"[context {name}] load"
        return self.graph.add(LocalSource(name, exclude=ignored), name=title)

    def image(self, text: str, platform: Platform, place: Range) -> BaseImage:
        """Return an image by its name; an empty one, noting it, if nobody knows it yet."""
        try:
            reference.parse(text)
        except InvalidReferenceError as error:
            raise DockerfileError(
                f'failed to parse stage name "{text}": invalid reference format: {error}', place
            ) from error
        return self._look(ImageNeed(text, platform, place))

    def of_layout(self, layout: LayoutContext, platform: Platform, place: Range) -> BaseImage:
        """Return an image of one of the client's layouts."""
        return self._look(ImageNeed(layout.reference, platform, place, layout.store))

    def image_files(self, text: str, platform: Platform, place: Range) -> Digest | None:
        """Return the files of an image."""
        if text == SCRATCH:
            return None
        return self.files_of(self.image(text, platform, place), text, platform)

    def files_of(
        self, base: BaseImage, text: str, platform: Platform, name: str = ""
    ) -> Digest | None:
        """Return the vertex of an image's layers."""
        layers = tuple(str(layer) for layer in base.layers)
        operation = ImageSource(text, str(platform), layers)
        return self.graph.add(operation, name=name or f"FROM {base.name or text}")

    def _look(self, need: ImageNeed) -> BaseImage:
        key = image_key(need)
        found = self.known.get(key)
        if found is None:
            self.missing.setdefault(key, need)
            return _UNKNOWN
        self.used.setdefault(key, found)
        return found
