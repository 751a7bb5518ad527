"""The rules. Names are Docker's, so that ``# check=skip=…`` means the same everywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; ``summary`` says in one line what it is about. Experimental ones are off."""

    name: str
    summary: str
    experimental: bool = False

    @property
    def url(self) -> str:
        """Where Docker's documentation explains it."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", self.name).lower()
        return f"https://docs.docker.com/go/dockerfile/rule/{words}/"


RULES: Mapping[str, Rule] = {
    name: Rule(name, summary, experimental=name == "InvalidDefinitionDescription")
    for name, summary in {
        "ConsistentInstructionCasing": "Instructions are either all upper or all lower case",
        "CopyIgnoredFile": "A file to copy is left out by .dockerignore",
        "DuplicateStageName": "Two stages have the same name",
        "ExposeInvalidFormat": "EXPOSE takes ports of the container, no addresses or host ports",
        "ExposeProtoCasing": "Protocols of EXPOSE are written in lower case",
        "FromAsCasing": "AS has the case of FROM",
        "FromPlatformFlagConstDisallowed": "A fixed --platform keeps a build from being portable",
        "InvalidDefaultArgInFrom": "Without arguments the name of a base image is empty or invalid",
        "InvalidDefinitionDescription": "A comment directly above a definition describes it: "
        "# <name> <text>",
        "JSONArgsRecommended": "In shell form a shell gets the signals, not the program",
        "LegacyKeyValueFormat": "A name and its value belong together with =",
        "MaintainerDeprecated": "MAINTAINER is deprecated in favour of a label",
        "MultipleInstructionsDisallowed": "Of several instructions of a kind only the last counts",
        "NoEmptyContinuation": "Empty lines within an instruction will be refused some day",
        "RedundantTargetPlatform": "The target's platform is what FROM uses anyway",
        "ReservedStageName": "The name of a stage means something else",
        "SecretsUsedInArgOrEnv": "Arguments and environment can be read by everybody who has the "
        "image",
        "StageNameCasing": "Names of stages are written in lower case",
        "UndefinedArgInFrom": "FROM sees only arguments declared before the first FROM",
        "UndefinedVar": "A variable is used that nothing defines",
        "WorkdirRelativePath": "Where a relative directory is depends on the base image",
    }.items()
}
