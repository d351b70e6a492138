"""Which files to look at first when not all can be paid for. By path and size alone, so that it
costs nothing and the same change is ranked the same way everywhere."""

import re
from collections.abc import Mapping

# Words of paths where a mistake lets somebody in, loses data or moves money.
GRAVE = re.compile(
    r"auth|login|logout|passw|passwd|secret|credential|token|crypt|certif|sess(?:ion)?s?\b|permission"
    r"|access|acl\b|oauth|jwt|saml|sso\b|csrf|cors|sanitiz|escap|deseriali|pickle|upload|admin"
    r"|security|sql|migrat|payment|billing|invoice|checkout|exec|shell|subprocess|iam\b|terraform"
    r"|dockerfile|\.github/(?:workflows|actions)|\.env\b|k8s|helm",
    re.IGNORECASE,
)
TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testdata|fixtures|e2e)/|(?:^|/)(?:test_|conftest\.)[^/]*$"
    r"|[._-](?:test|tests|spec)\.[^/]+$|(?:Test|Tests|Spec)\.(?:java|kt|cs|swift|scala)$"
)
PROSE = re.compile(r"\.(?:md|markdown|rst|adoc|txt|po|svg|css|scss)$", re.IGNORECASE)


def ranked(sizes: Mapping[str, int]) -> list[str]:
    """Paths, the riskiest first: grave ones, other code, prose, tests; the larger change first."""
    return sorted(sizes, key=lambda path: (_tier(path), -sizes[path], path))


def _tier(path: str) -> int:
    if TEST.search(path):
        return 3
    if PROSE.search(path):
        return 2
    return 0 if GRAVE.search(path) else 1
