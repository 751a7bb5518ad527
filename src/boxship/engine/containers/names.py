"""Names of containers: which are allowed, and ones to give when nobody chose."""

import random
import re
from collections.abc import Callable

from boxship.base.errors import InvalidArgumentError

_ALLOWED = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(rf"/?{_ALLOWED}+")

_MOODS = """
amber agile alert apt azure balmy bold brave breezy bright brisk calm candid cheerful clear
clever coral cosy crisp curious daring deft eager earnest fair fearless fleet fluent fond frank
fresh gentle glad golden graceful hardy hearty honest humble jolly keen kind lively loyal lucid
lucky mellow merry mild modest neat nimble noble patient placid plucky polite proud quick quiet
ready robust rosy serene sharp silver sincere smooth snug solid spry stable stellar sturdy sunny
swift tidy tranquil trusty upbeat vivid warm wise witty zesty
"""

_VESSELS_AND_SAILORS = """
anchor barge beacon boatswain bosun bowsprit brig buoy captain caravel catamaran clipper cog
compass coracle corvette crane current cutter deckhand derrick dhow dinghy dock dory ferry
flotilla frigate galleon galley gangway gunwale halyard harbor haven helm hull jetty junk kayak
keel ketch lagoon lantern launch lighter lighthouse longboat lugger mariner mast mooring
navigator oar outrigger packet pennant pier pilot pinnace pontoon porthole prow punt quay raft
reef rigging rudder sail sampan schooner sextant skiff skipper sloop spar spinnaker steamer
steward tender tide tiller topsail trawler trimaran tug umiak wharf windlass xebec yacht yawl
"""


def checked(name: str) -> str:
    """Return the name without the slash Docker puts in front. InvalidArgumentError: not allowed."""
    if _NAME.fullmatch(name) is None:
        raise InvalidArgumentError(f"Invalid container name ({name}), only {_ALLOWED} are allowed")
    return name.removeprefix("/")


def invent(taken: Callable[[str], bool], pick: random.Random | None = None) -> str:
    """Return an unused name such as ``brisk_schooner``; a number follows once words run short."""
    source = pick or random.SystemRandom()
    attempts = 0
    while True:
        name = f"{source.choice(_MOODS.split())}_{source.choice(_VESSELS_AND_SAILORS.split())}"
        if attempts >= 5:
            name += str(source.randrange(10 ** (attempts - 4)))
        if not taken(name):
            return name
        attempts += 1
