"""Exclude changed files from review: generated files, vendored files, lock files.

In order of weight: the user's `exclude`, .gitattributes, then the conventions that GitHub itself
folds files by. https://github.com/github-linguist/linguist/blob/main/docs/overrides.md
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from claude_batch.diff.gitattributes import GitAttributes, State, is_false, is_true
from claude_batch.diff.gitignore import BadPattern, parse_gitignore
from claude_batch.diff.model import Diff, FileChange, SkippedFile
from claude_batch.errors import BadConfig
from claude_batch.formatting import printable

GENERATED, VENDORED, LOCK_FILE = "generated", "vendored", "lock file"
# The author of a change may bring these about, by a mark in the file or by its folder.
AUTHOR_MARKS = (GENERATED, VENDORED)

LOCK_FILE_NAME = re.compile(
    r"""
    Cargo\.lock | Gemfile\.lock | Gopkg\.lock | MODULE\.bazel\.lock | Package\.resolved
    | Pipfile\.lock | Podfile\.lock | bun\.lock | bun\.lockb | cabal\.project\.freeze
    | composer\.lock | conan\.lock | deno\.lock | flake\.lock | glide\.lock | go\.sum
    | go\.work\.sum | gradle\.lockfile | mix\.lock | npm-shrinkwrap\.json
    | package-lock\.json | packages\.lock\.json | pdm\.lock | pixi\.lock | pnpm-lock\.yaml
    | poetry\.lock | pubspec\.lock | pylock\.toml | stack\.yaml\.lock | uv\.lock
    | yarn\.lock | \.terraform\.lock\.hcl
    """,
    re.VERBOSE,
)

GENERATED_NAME = re.compile(
    r"""
    .+\.(?: (?:min|bundle|chunk)\.(?:js|mjs|css) | (?:js|css|mjs|ts|cjs)\.map | map
          | pb\.(?:go|cc|h|rs|swift) | pb\.gw\.go | [Dd]esigner\.(?:cs|vb)
          | g\.(?:cs|dart) | g\.i\.cs | freezed\.dart | snap | ambr | tsbuildinfo
          | nib | xcuserstate )
    | .+_pb2(?:_grpc)?\.pyi? | .+_pb\.(?:js|ts|d\.ts|rb) | .+_grpc_pb\.(?:js|ts|d\.ts)
    | .+\.generated\.[^.]+ | zz_generated\..+
    | \.pnp\.c?js | \.pnp\.loader\.mjs
    """,
    re.VERBOSE,
)

GENERATED_FOLDER = re.compile(
    r"(?:^|.*/)(?:__generated__|__snapshots__|\.next|\.nuxt)/.*", re.DOTALL
)

VENDORED_FOLDER = re.compile(
    r"""
    (?:^|.*/)(?: node_modules | bower_components | vendor | vendors | vendored | _vendor
               | third[-_]?party | 3rd[-_]?party | dist | Pods
               | Carthage/Build | \.yarn/(?:releases|plugins|sdks|versions|unplugged) | Godeps )/.*
    """,
    re.VERBOSE | re.DOTALL,
)

# A comment near the top. `@generated` alone is the mark that Meta's and Rust's tools write.
HEADER_LINES = 20

HEADER = re.compile(
    rb"""^[ +]\s* (?:\#|//|/\*+|\*|--|;|%|<!--|\"\"\"|''') \s*
         .{0,60}? (?: (?<!\w)@generated\b
                    | \b(?i:code|auto)[ -]?(?i:generated)\b .{0,200}?
                      \b(?i:do\ not\ (?:edit|modify)) )
    """,
    re.VERBOSE,
)


def exclude_files(diff: Diff, attributes: Mapping[str, bytes], exclude: Sequence[str]) -> Diff:
    """Move files into `skipped`. `attributes`: each .gitattributes of the base, by path.

    `exclude` has .gitignore syntax; a `!pattern` there keeps a file that any other
    rule would exclude. Raises BadConfig.
    """
    patterns = [pattern for pattern in exclude if pattern]
    try:
        spec = parse_gitignore(patterns)
    except BadPattern as error:
        raise BadConfig(str(error), "correct it in `exclude`: it has .gitignore syntax") from error
    attributes_by_path = GitAttributes(attributes)
    kept, skipped = [], []
    for change in diff.files:
        match = spec.check_file(change.path)
        if match.include and match.index is not None:
            reason: str | None = f'excluded by "{patterns[match.index]}"'
        elif match.include is False:
            reason = None
        else:
            reason = _find_reason(change, attributes_by_path.states_for(change.path))
        if reason:
            skipped.append(SkippedFile(printable(change.path.encode()), reason))
        else:
            kept.append(change)
    return replace(diff, files=tuple(kept), skipped=diff.skipped + tuple(skipped))


def _find_reason(change: FileChange, states: Mapping[str, State]) -> str | None:
    if states.get("diff") is False:
        return "marked `-diff` in .gitattributes"
    generated, vendored = states.get("linguist-generated"), states.get("linguist-vendored")
    if is_true(generated):
        return GENERATED
    if is_true(vendored):
        return VENDORED
    if not is_false(vendored) and VENDORED_FOLDER.fullmatch(change.path):
        return VENDORED
    return None if is_false(generated) else _generated_reason(change)


def _generated_reason(change: FileChange) -> str | None:
    name = change.path.rpartition("/")[2]
    if LOCK_FILE_NAME.fullmatch(name):
        return LOCK_FILE
    by_name = GENERATED_NAME.fullmatch(name) or GENERATED_FOLDER.fullmatch(change.path)
    return GENERATED if by_name or _has_header(change) else None


def _has_header(change: FileChange) -> bool:
    """True if a comment near the top marks the file as generated."""
    if not change.hunks or change.hunks[0].new_start != 1:
        return False
    top = change.hunks[0].body[:8000]
    if b"generated" not in top.lower():
        return False
    # In an existing file, a mark that the change itself adds would hide the change.
    sign = b"+" if change.status == "added" else b" "
    lines = top.split(b"\n")[:HEADER_LINES]
    return any(line.startswith(sign) and HEADER.match(line) for line in lines)
