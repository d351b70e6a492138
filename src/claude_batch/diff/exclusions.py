"""Exclude changed files from review: generated files, vendored files, lock files.

In order of weight: the user's `exclude`, .gitattributes, then the conventions that GitHub itself
folds files by. https://github.com/github-linguist/linguist/blob/main/docs/overrides.md
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from claude_batch.diff.gitattributes import Attributes, State, is_false, is_true
from claude_batch.diff.gitignore import BadPattern, gitignore
from claude_batch.diff.model import Diff, FileChange, SkippedFile
from claude_batch.errors import BadConfig
from claude_batch.formatting import printable

GENERATED, VENDORED, LOCK_FILE = "generated", "vendored", "lock file"

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
HEADER_ROWS = 20

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

    `exclude` has .gitignore syntax; a `!pattern` there keeps a file whatever else speaks
    against it. Raises BadConfig.
    """
    patterns = [pattern for pattern in exclude if pattern]
    try:
        spec = gitignore(patterns)
    except BadPattern as error:
        raise BadConfig(str(error), "correct it in `exclude`: it has .gitignore syntax") from error
    stated = Attributes(attributes)
    kept, left_out = [], []
    for change in diff.files:
        said = spec.check_file(change.path)
        if said.include and said.index is not None:
            reason: str | None = f'excluded by "{patterns[said.index]}"'
        elif said.include is False:
            reason = None
        else:
            reason = _reason(change, stated.of(change.path))
        if reason:
            left_out.append(SkippedFile(printable(change.path.encode()), reason))
        else:
            kept.append(change)
    return replace(diff, files=tuple(kept), skipped=diff.skipped + tuple(left_out))


def _reason(change: FileChange, stated: Mapping[str, State]) -> str | None:
    if stated.get("diff") is False:
        return "marked `-diff` in .gitattributes"
    generated, vendored = stated.get("linguist-generated"), stated.get("linguist-vendored")
    if is_true(generated):
        return GENERATED
    if is_true(vendored):
        return VENDORED
    if not is_false(vendored) and VENDORED_FOLDER.fullmatch(change.path):
        return VENDORED
    return None if is_false(generated) else _generated(change)


def _generated(change: FileChange) -> str | None:
    name = change.path.rpartition("/")[2]
    if LOCK_FILE_NAME.fullmatch(name):
        return LOCK_FILE
    by_name = GENERATED_NAME.fullmatch(name) or GENERATED_FOLDER.fullmatch(change.path)
    return GENERATED if by_name or _has_header(change) else None


def _has_header(change: FileChange) -> bool:
    """A mark that this very change adds to an existing file does not count: it hides the rest."""
    if not change.hunks or change.hunks[0].new_start != 1:
        return False
    top = change.hunks[0].body[:8000]
    if b"generated" not in top.lower():
        return False
    sign = b"+" if change.status == "added" else b" "
    rows = top.split(b"\n")[:HEADER_ROWS]
    return any(row.startswith(sign) and HEADER.match(row) for row in rows)
