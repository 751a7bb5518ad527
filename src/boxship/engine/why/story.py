"""Why a container is as it is, from its record and what was written down of it; pure.

What ends a container is known in parts: the shim tells how its first process ended, and whoever
sent it a signal through the daemon has left a row before. A signal that no row tells of came from
elsewhere, and the kernel keeps no record of its sender.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from boxship.base.clock import format_ns
from boxship.base.moments import duration_text
from boxship.base.units import format_decimal_size
from boxship.engine.containers import facts
from boxship.engine.containers.facts import Course, Fact
from boxship.engine.containers.policy import Verdict
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.records.history import Happening
from boxship.kernel.signals import name_of
from boxship.model.why import Moment

_FAULTS = {
    "SIGSEGV": "an access to memory that is not its own",
    "SIGBUS": "an access to memory that could not be had",
    "SIGILL": "an instruction the processor does not know",
    "SIGFPE": "an arithmetic error",
    "SIGSYS": "a system call that its seccomp profile forbids",
    "SIGABRT": "itself, by abort(3)",
}
"""What the kernel, or the process itself, sends when it goes wrong (signal(7))."""
_CODES = {
    126: "as shells say for a command that cannot be executed",
    127: "as shells say for a command that is not found",
}
_FIRST_SIGNALLED, _LAST_SIGNALLED = 129, 192


class Event(NamedTuple):
    """A row of the history, read."""

    at_ns: int
    action: str
    fact: Fact


class Reason(NamedTuple):
    """The answer in a sentence, and those it rests on."""

    answer: str
    evidence: tuple[str, ...] = ()


def events(happenings: Iterable[Happening]) -> tuple[Event, ...]:
    """Read rows."""
    return tuple(Event(h.at_ns, h.action, facts.read(h.action, h.detail)) for h in happenings)


def reason(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    """Say why it runs, or why it does not."""
    return _REASONS[record.status](record, past)


def of_gone(past: Sequence[Event]) -> Reason:
    """Say why it is no longer there; ``past`` ends with ``destroy``."""
    end = past[-1]
    by = "by itself, as --rm asks," if end.fact.course is Course.OTHER else f"by {end.fact.by}"
    died = _last(past, "die")
    last = (f"Before that {_end(died, past, None)}.",) if died is not None else ()
    return Reason(f"It was removed {by} at {format_ns(end.at_ns)}", last)


# ── by state ─────────────────────────────────────────────────────────────────────────────────


def _created(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    made = _last(past, "create")
    by = f" by {made.fact.by}" if made is not None and made.fact.by else ""
    if record.state.error:
        return Reason(f"Its start was refused: {record.state.error}", _refusals(past))
    return Reason(f"It was created{by} and has never been started")


def _running(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    begun, before = _last(past, "start"), _before_last(past, "start")
    answer = f"It runs since {format_ns(record.state.started_ns)}: {_starter(begun, record)}"
    died = _last(before, "die")
    evidence = [f"Before that {_end(died, before, record)}." for _ in (1,) if died is not None]
    if record.state.restart_count:
        evidence.append(f"Its restart policy has started it {_times(record.state.restart_count)}.")
    return Reason(answer, (*evidence, *_health(record)))


def _paused(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    if record.state.held:
        return Reason("It is paused by the daemon itself, which reads its files for a moment")
    frozen = _last(past, "pause")
    by = f" by {frozen.fact.by}" if frozen is not None and frozen.fact.by else ""
    when = f" at {format_ns(frozen.at_ns)}" if frozen is not None else ""
    return Reason(f"It was paused{by}{when}")


def _restarting(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    died = _last(past, "die")
    policy = record.host.restart_policy.name
    ended = f"{_end(died, past, record)}; " if died is not None else ""
    answer = f"{ended}its restart policy {policy} starts it again in a moment"
    return Reason(answer[:1].upper() + answer[1:], (*_refusals(past), *_verdict(record, past)))


def _exited(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    died = _last(past, "die")
    refused = _last(past, "start-refused")
    if refused is not None and (died is None or refused.at_ns > died.at_ns):
        return Reason(f"Its start was refused: {refused.fact.error}", _verdict(record, past))
    if died is None:
        return Reason(f"It ended with code {record.state.exit_code}; no more was written down")
    answer = _end(died, past, record)
    return Reason(
        f"{answer[:1].upper()}{answer[1:]}",
        (*_evidence(died, record), *_verdict(record, past), *_health(record)),
    )


def _leaving(record: ContainerRecord, past: Sequence[Event]) -> Reason:
    del past
    if record.status is Status.DEAD:
        return Reason("It was to be removed, and something was in the way; remove it again")
    return Reason("It is being removed")


_REASONS = {
    Status.CREATED: _created,
    Status.RUNNING: _running,
    Status.PAUSED: _paused,
    Status.RESTARTING: _restarting,
    Status.EXITED: _exited,
    Status.REMOVING: _leaving,
    Status.DEAD: _leaving,
}


# ── parts ────────────────────────────────────────────────────────────────────────────────────


def _starter(begun: Event | None, record: ContainerRecord) -> str:
    if begun is None:
        return "by whom was not written down"
    policy = record.host.restart_policy.name
    if begun.fact.course is Course.POLICY:
        return f"its restart policy {policy} started it again after its end"
    if begun.fact.course is Course.DAEMON_START:
        return f"its restart policy {policy} wants it whenever the daemon comes up"
    verb = "restarted" if begun.fact.course is Course.RESTART else "started"
    return f"{verb} by {begun.fact.by}"


def _end(died: Event, past: Sequence[Event], record: ContainerRecord | None) -> str:
    """Say in a clause how a run ended: ``it exited with code 3 …``."""
    fact, when = died.fact, f"at {format_ns(died.at_ns)}"
    asked = _asked(past, died)
    if fact.error:
        return f"it ended {when}: {fact.error}"
    if fact.oom_killed and fact.signal in (0, 9):
        first = "killed it" if fact.signal else "killed one of its processes"
        exited = "" if fact.signal else f", and it exited with code {fact.exit_code}"
        return f"the kernel {first} {when} for want of memory{exited}"
    if fact.signal:
        sender = next((a for a in reversed(asked) if a.fact.signal == fact.signal), None)
        name = name_of(fact.signal)
        if sender is not None:
            return f"{name} killed it {when}, sent by {_sender(sender, record)}"
        return f"{name} killed it {when}, {_from_elsewhere(name)}"
    code = f"it exited with code {fact.exit_code} {when}"
    if asked:
        last = asked[-1]
        after = duration_text(max(0, died.at_ns - last.at_ns) // 10**6 * 10**6)
        name = name_of(last.fact.signal)
        return f"{code}, {after} after {name} from {_sender(last, record)}"
    return f"{code}, by itself{_meaning(fact.exit_code)}"


def _meaning(code: int) -> str:
    if code in _CODES:
        return f" ({_CODES[code]})"
    if _FIRST_SIGNALLED <= code <= _LAST_SIGNALLED:
        return f" (as shells say when {name_of(code - 128)} has killed their child)"
    return ""


def _from_elsewhere(name: str) -> str:
    if name in _FAULTS:
        return (
            f"as the kernel does after {_FAULTS[name]}"
            if name != "SIGABRT"
            else (f"sent by {_FAULTS[name]}")
        )
    return "sent from elsewhere than this daemon; the kernel keeps no record of the sender"


def _sender(sent: Event, record: ContainerRecord | None) -> str:
    course, by = sent.fact.course, sent.fact.by
    if course is Course.HEALTH:
        policy = record.host.restart_policy.name if record is not None else "on-unhealthy"
        return f"the daemon, because it was unhealthy and its policy is {policy}"
    if course is Course.DAEMON_STOP:
        return "the daemon, which was stopped itself"
    deed = {
        Course.STOP: "to stop it",
        Course.RESTART: "to restart it",
        Course.REMOVE: "to remove it by force",
    }.get(course, "")
    return f"{by} {deed}".rstrip()


def _evidence(died: Event, record: ContainerRecord) -> tuple[str, ...]:
    fact = died.fact
    if not fact.oom_killed:
        return ()
    peak = f"It had used up to {format_decimal_size(fact.memory_peak)}" if fact.memory_peak else ""
    limit = fact.memory_limit or record.host.memory
    bound = (
        f"its limit is {format_decimal_size(limit)}"
        if limit
        else "it has no limit of its own, so the machine was short of memory"
    )
    return (f"{peak}; {bound}." if peak else f"{bound[:1].upper()}{bound[1:]}.",)


def _verdict(record: ContainerRecord, past: Sequence[Event]) -> tuple[str, ...]:
    """Say why it was started again, or why not."""
    died, policy = _last(past, "die"), record.host.restart_policy
    if died is None or not died.fact.verdict:
        return ()
    most = policy.maximum_retry_count
    given_up = _last(past, "stop")
    if given_up is not None and given_up.at_ns > died.at_ns and record.state.stopped_by_user:
        return (f"It waited for its next start, which {given_up.fact.by} called off.",)
    texts = {
        Verdict.NO_POLICY: "It has no restart policy, so it stays as it is.",
        Verdict.STOPPED: f"Its restart policy {policy.name} leaves alone what a person has ended."
        if policy.name not in ("", "no")
        else "",
        Verdict.HELD: "",
        Verdict.SUCCEEDED: f"Its restart policy {policy.name} starts it after failures only.",
        Verdict.USED_UP: f"Its restart policy {policy.name}:{most} has been used up.",
        Verdict.AGAIN: f"Its restart policy {policy.name} has started it "
        f"{_times(record.state.restart_count)} since a person did.",
    }
    text = texts.get(Verdict(died.fact.verdict), "")
    return (text,) if text else ()


def _refusals(past: Sequence[Event]) -> tuple[str, ...]:
    refused = _last(past, "start-refused")
    begun = _last(past, "start")
    if refused is None or (begun is not None and begun.at_ns > refused.at_ns):
        return ()
    by = f", by {refused.fact.by}," if refused.fact.by else ""
    return (f"The last start{by} was at {format_ns(refused.at_ns)}.",)


def _health(record: ContainerRecord) -> tuple[str, ...]:
    health = record.state.health
    if health is None or not health.log:
        return ()
    last = health.log[-1]
    said = f": {last.output.strip().splitlines()[0][:200]}" if last.output.strip() else ""
    streak = f" {health.failing_streak} in a row have failed;" if health.failing_streak else ""
    code = "succeeded" if last.exit_code == 0 else f"failed with {last.exit_code}"
    return (f"Its health check says {health.status};{streak} the last probe {code}{said}.",)


def _asked(past: Sequence[Event], died: Event) -> list[Event]:
    """Return the signals that were sent through the daemon in the run that ended so."""
    sent: list[Event] = []
    for event in past:
        if event is died:
            break
        if event.action == "start":
            sent = []
        elif event.action == "signal":
            sent.append(event)
    return sent


def _last(past: Sequence[Event], action: str) -> Event | None:
    return next((event for event in reversed(past) if event.action == action), None)


def _before_last(past: Sequence[Event], action: str) -> Sequence[Event]:
    last = max((i for i, event in enumerate(past) if event.action == action), default=0)
    return past[:last]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


# ── the past, line by line ───────────────────────────────────────────────────────────────────


def moments(past: Sequence[Event], record: ContainerRecord | None) -> tuple[Moment, ...]:
    """Put every row into words."""
    found = []
    for event in past:
        found.append(Moment(at=format_ns(event.at_ns), what=_word(event, past, record),
                            by=event.fact.by))  # fmt: skip
    return tuple(found)


def _word(event: Event, past: Sequence[Event], record: ContainerRecord | None) -> str:
    fact = event.fact
    if event.action == "die":
        return _end(event, past, record).replace(f" at {format_ns(event.at_ns)}", "", 1)
    if event.action == "signal":
        return f"{name_of(fact.signal)} sent"
    if event.action == "start-refused":
        return f"start refused: {fact.error}"
    if event.action == "start" and fact.course is Course.POLICY:
        return "started again by its restart policy"
    if event.action == "start" and fact.course is Course.DAEMON_START:
        return "started because the daemon came up"
    if event.action.startswith("health_status") and fact.output.strip():
        return f"{event.action} ({fact.output.strip().splitlines()[0]})"
    return _WORDS.get(event.action, event.action)


_WORDS = {
    "create": "created",
    "start": "started",
    "stop": "next start called off",
    "pause": "paused",
    "unpause": "unpaused",
    "destroy": "removed",
    "update": "updated",
    "rename": "renamed",
    "dead": "could not be removed",
}
