"""Render the files of `init`, with every action pinned to a commit."""

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
    """A reference to the claude-batch action."""

    slug: str | None  # owner/name; None: the action is in the same repository (`./`)
    ref: str = ""
    commit: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Action":
        if text == "./":
            return cls(None)
        match = REFERENCE.fullmatch(text)
        if not match:
            raise BadUsage(
                f"{text!r} does not name an action",
                "write it as OWNER/REPOSITORY@REF, or ./ for the one in this repository",
            )
        commit = match["ref"] if FULL_COMMIT.fullmatch(match["ref"]) else None
        return cls(match["slug"], match["ref"], commit)

    @property
    def url(self) -> str:
        return f"https://github.com/{self.slug}"

    @property
    def is_pinned(self) -> bool:
        return self.slug is None or self.commit is not None

    @property
    def version(self) -> str:
        """The part after the @: the commit with its name as a comment, or the ref."""
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
    """Remove pins and CRLF, which do not matter when workflows are compared."""
    return PINNED.sub(r"\1", text.replace("\r\n", "\n"))
