"""Images: list, look, name, remove; load, save, import; registries."""

from boxship.api.openapi.operation import (
    AUTH,
    TAR,
    Body,
    Operation,
    Reply,
    done,
    file,
    filters,
    flag,
    lines,
    number,
    ok,
    platform,
    text,
    unused,
    words,
)
from boxship.wire import images as shapes
from boxship.wire import prune, registries
from boxship.wire.jsonstream import Progress

_OLD_FILTER = text("filter", "A pattern for names; until API 1.40")
_PROGRESS = lines(Progress, "How it goes, a line at a time; one with `error` is the last")

OPERATIONS = (
    Operation(
        "GET", "/images/json", "ImageList", "List images",
        (
            flag("all", "Those without a name that others were built on, too"),
            filters("dangling", "label", "label!", "before", "since", "reference", "until"),
            flag("shared-size", "Add up the bytes that other images have in common with each"),
            flag("manifests", "Tell of each platform"),
            _OLD_FILTER,
            unused(flag("digests", "Show digests"), "they are always shown"),
            flag("identity", "Show who signed, with `manifests`; signatures are not looked at"),
        ),
        replies=(ok(tuple[shapes.ImageRow, ...], "The images"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/images/get", "ImageGetAll", "Save several images",
        (words("names", "Names or ids; several by ,"), platform()),
        replies=(file(TAR, "An archive as `docker load` reads it, and an OCI layout"),),
        errors=(404,),
    ),
    Operation(
        "POST", "/images/load", "ImageLoad", "Load images from an archive",
        (flag("quiet", "Don't tell of each layer"), platform()),
        Body(media=TAR, about="As `docker save` writes it, or an OCI layout; compressed or not"),
        (_PROGRESS,),
        (404,),
    ),
    Operation(
        "POST", "/images/create", "ImageCreate", "Pull an image, or import a file system",
        (
            text("fromImage", "Pull this one"),
            text("fromSrc", "Import from this URL, or `-`: from the body"),
            text("repo", "Name of what is imported"),
            text("tag", "Tag or digest"),
            text("message", "What to say of what is imported"),
            words("changes", "Instructions as in a Dockerfile, for what is imported"),
            text("platform", "Which platform: `os/arch/variant`"),
            AUTH,
        ),
        Body(media=TAR, required=False, about="With `fromSrc=-`: an archive, compressed or not"),
        (_PROGRESS,),
        (401, 403, 404, 409, 500, 503),
    ),
    Operation(
        "GET", "/images/{name...}/json", "ImageInspect", "Look at an image",
        (platform(), flag("manifests", "Tell of each platform")),
        replies=(ok(shapes.ImageInspect, "What it is"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/images/{name...}/history", "ImageHistory", "Tell how an image was made",
        (platform(),),
        replies=(ok(tuple[shapes.HistoryRow, ...], "Its steps, the last one first"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/images/{name...}/get", "ImageGet", "Save an image",
        (platform(),),
        replies=(file(TAR, "An archive as `docker load` reads it, and an OCI layout"),),
        errors=(404,),
    ),
    Operation(
        "POST", "/images/{name...}/tag", "ImageTag", "Give an image one more name",
        (text("repo", "The name"), text("tag", "The tag", default="latest")),
        replies=(done("It has the name", 201),),
        errors=(404, 409),
    ),
    Operation(
        "DELETE", "/images/{name...}", "ImageDelete", "Remove a name, and the image with its last",
        (
            flag("force", "Also if containers that don't run, or other names, need it"),
            flag("noprune", "Keep what it was built on, even without a name"),
            platform("platforms", "Remove these only"),
        ),
        replies=(ok(tuple[shapes.RemovedRow, ...], "What was done"),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/images/{name...}/push", "ImagePush", "Send an image to its registry",
        (text("tag", "Which tag; without one, all"), platform(), AUTH),
        replies=(_PROGRESS,),
        errors=(401, 403, 404, 500, 503),
    ),
    Operation(
        "POST", "/images/prune", "ImagePrune", "Remove images that nobody uses",
        (filters("dangling", "unused-for", "until", "label", "label!"),),
        replies=(ok(prune.ImagesPruned, "What is gone, and its bytes"),),
    ),
    Operation(
        "GET", "/images/search", "ImageSearch", "Search a registry",
        (
            text("term", "What for", required=True),
            number("limit", "How many at most"),
            filters("is-automated", "is-official", "stars"),
            AUTH,
        ),
        replies=(ok(tuple[registries.SearchRow, ...], "What it has found"),),
        errors=(401, 403, 404, 500, 503),
    ),
    Operation(
        "GET", "/distribution/{name...}/json", "DistributionInspect",
        "Look at an image in its registry",
        (AUTH,),
        replies=(ok(registries.DistributionAnswer, "What the registry has under the name"),),
        errors=(401, 403, 404, 500, 503),
    ),
    Operation(
        "POST", "/auth", "SystemAuth", "Check a login at a registry",
        body=Body(registries.AuthConfig),
        replies=(ok(registries.AuthAnswer, "It is right"), Reply(204, "It is right")),
        errors=(401, 403, 404, 500, 503),
    ),
)  # fmt: skip
