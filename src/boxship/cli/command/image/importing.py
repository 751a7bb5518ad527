"""``boxship import``. The module has another name because ``import`` is Python's own word."""

from boxship.cli import kinds
from boxship.cli.archive import check_readable, read_pieces
from boxship.cli.flags import Flag
from boxship.cli.format.images import split_reference
from boxship.cli.progress import show
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import images

FLAGS = (
    Flag("change", "c", kinds.LIST, "Dockerfile instruction to apply, as 'CMD [\"sh\"]'"),
    Flag("message", "m", kinds.STRING, "Comment for the image's history"),
    Flag("platform", "", kinds.STRING, "Platform of the image, as linux/amd64"),
)


def run(session: Session, given: Invocation) -> int:
    source, *names = given.arguments
    repository, tag, _ = split_reference(names[0]) if names else ("", "", "")
    remote = source.startswith(("http://", "https://"))
    if not remote and source != "-":
        check_readable(source)
    answer = images.import_archive(
        session.client,
        None if remote else read_pieces(source),
        source=source if remote else "-",
        repository=repository,
        tag_name=tag,
        message=given.values.text("message"),
        changes=given.values.many("change"),
        platform=given.values.text("platform")
        or session.environment.get("DOCKER_DEFAULT_PLATFORM", ""),
    )
    show(session, answer)
    return 0


COMMAND = Command("[OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]", Arity(1, 2), run, FLAGS)
