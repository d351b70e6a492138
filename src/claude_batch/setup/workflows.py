"""The files that `init` writes: their text, with every action pinned to a commit."""

import re
from dataclasses import dataclass
from importlib.resources import files

from claude_batch.errors import BadUsage

DEFAULT_ACTION = "org/claude-batch@v1"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
REFERENCE = re.compile(r"(?P<slug>[\w.-]+/[\w.-]+)@(?P<ref>[\w./-]+)")
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
PINNED = re.compile(r"(?m)^(\s*(?:- )?uses: [^@\s]+)@.*$")


@dataclass(frozen=True, slots=True)
class Action:
    """Where our action comes from. `slug` is None for the one in the repository itself (`./`)."""

    slug: str | None
    ref: str = ""
    commit: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Action":
        if text == "./":
            return cls(None)
        found = REFERENCE.fullmatch(text)
        if not found:
            raise BadUsage(
                f"{text!r} does not name an action",
                "write it as OWNER/REPOSITORY@REF, or ./ for the one in this repository",
            )
        commit = found["ref"] if FULL_COMMIT.fullmatch(found["ref"]) else None
        return cls(found["slug"], found["ref"], commit)

    @property
    def url(self) -> str:
        return f"https://github.com/{self.slug}"

    @property
    def is_pinned(self) -> bool:
        return self.slug is None or self.commit is not None

    @property
    def version(self) -> str:
        """What stands behind the @, with the name of a commit that has one."""
        if self.commit in (None, self.ref):
            return self.ref
        return f"{self.commit} # {self.ref}"

    @property
    def uses(self) -> str:
        return f"{self.slug}@{self.version}" if self.slug else "./"


def load_template(name: str) -> str:
    return files("claude_batch").joinpath("setup", "templates", name).read_text("utf-8")


def render_workflow(name: str, action: Action) -> str:
    return load_template(name).replace("@CHECKOUT@", CHECKOUT).replace("@ACTION@", action.uses)


def remove_pins(text: str) -> str:
    """For comparison: a newer pin, or CRLF of a checkout, is no other workflow."""
    return PINNED.sub(r"\1", text.replace("\r\n", "\n"))
