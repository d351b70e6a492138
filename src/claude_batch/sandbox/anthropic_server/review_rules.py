"""The sandbox's rules: plain patterns over one added line, chosen for being rarely wrong.

They stand in for a model so that the whole trip can be walked without a key. Each says in its
body that it is a rule and not Claude.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

PYTHON = ("py", "pyi")
SCRIPT = ("js", "jsx", "ts", "tsx", "mjs", "cjs")
C = ("c", "h", "cc", "cpp", "hpp", "cxx")
ANY: tuple[str, ...] = ()
COMMENTS = ("#", "//", "/*", "*", "--", '"""', "'''")
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`(?:\\.|[^`\\])*`')


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """`pattern` is searched in the line with its string literals blanked, unless `raw`."""

    name: str
    languages: tuple[str, ...]  # file endings; none means all
    pattern: re.Pattern[str]
    severity: Literal["critical", "high", "medium", "low"]
    confidence: Literal["high", "medium", "low"]
    category: str
    title: str
    body: str
    replace: Callable[[re.Match[str], str], str] | None = None
    raw: bool = False

    def applies_to(self, path: str) -> bool:
        return not self.languages or path.rpartition(".")[2].lower() in self.languages

    def finds(self, line: str) -> re.Match[str] | None:
        if line.lstrip().startswith(COMMENTS):
            return None
        return self.pattern.search(line if self.raw else blanked(line))


def blanked(line: str) -> str:
    """The line with the insides of its string literals as blanks, of the same length."""
    return LITERAL.sub(lambda found: found[0][0] + " " * (len(found[0]) - 2) + found[0][-1], line)


def rules_for(kind: str) -> Iterator[ReviewRule]:
    """Review has all defects, security its own; a kind that no pattern can judge has none."""
    if kind == "refactor":
        yield from REFACTORINGS
    elif kind == "security":
        yield from (rule for rule in DEFECTS if rule.category == "security")
    elif kind not in ("docs", "tests"):
        yield from DEFECTS


def _swap(text: str) -> Callable[[re.Match[str], str], str]:
    """Put `text` (with groups) in the place of the match, and keep the rest of the line."""
    return lambda found, line: line[: found.start()] + found.expand(text) + line[found.end() :]


def _is_none(found: re.Match[str], line: str) -> str:
    word = "is" if found[1] == "==" else "is not"
    return f"{line[: found.start()].rstrip()} {word} None{line[found.end() :]}"


DEFECTS = (
    ReviewRule(
        "none-comparison",
        PYTHON,
        re.compile(r"(?<![=!<>])(==|!=)\s*None\b"),
        *("low", "medium", "bug", "Comparison with None by value"),
        "A class that defines `__eq__` can make this true for something that is not None. "
        "Compare with `is`.",
        _is_none,
    ),
    ReviewRule(
        "bare-except",
        PYTHON,
        re.compile(r"^(\s*)except\s*:"),
        *("medium", "high", "errors", "A bare except hides everything"),
        "This also catches KeyboardInterrupt and SystemExit, so the program cannot be stopped "
        "here. Name what is expected, or at least `Exception`.",
        _swap(r"\1except Exception:"),
    ),
    ReviewRule(
        "mutable-default",
        PYTHON,
        re.compile(r"\bdef\s+\w+\(.*=\s*(\[\]|\{\}|list\(\)|dict\(\)|set\(\))\s*[,)]"),
        *("medium", "high", "bug", "A default value that calls share"),
        "The default is made once and kept: what one call adds, the next call finds. Use None "
        "and make the value inside.",
    ),
    ReviewRule(
        "eval",
        (*PYTHON, *SCRIPT),
        re.compile(r"(?<![\w.])(?<!def )(?<!function )(eval|exec)\("),
        *("high", "medium", "security", "Text is run as code"),
        "Whoever can choose this text can run code here. Parse it, or look it up in a table.",
    ),
    ReviewRule(
        "shell-true",
        PYTHON,
        re.compile(r"\bshell\s*=\s*True\b"),
        *("high", "medium", "security", "A command goes through the shell"),
        "A value with a quote or a semicolon in it becomes a command of its own. Pass a list of "
        "arguments without `shell=True`.",
    ),
    ReviewRule(
        "unverified-tls",
        PYTHON,
        re.compile(r"\bverify\s*=\s*False\b"),
        *("high", "high", "security", "Certificates are not checked"),
        "Anyone on the way can read and change this traffic. Leave verification on, or name the "
        "certificate authority.",
    ),
    ReviewRule(
        "unsafe-yaml",
        PYTHON,
        re.compile(r"\byaml\.load\((?!.*Loader)"),
        *("high", "high", "security", "YAML that can make any object"),
        "A document can name classes to construct. Use `yaml.safe_load`.",
        _swap("yaml.safe_load("),
    ),
    ReviewRule(
        "hard-coded-secret",
        ANY,
        re.compile(
            r"(?i)(?:password|passwd|secret|api_?key|token)[\"']?\s*[:=]\s*"
            r"[\"'](?=[^\"']*\d)(?=[^\"']*[a-z])(?![^\"']*(?:example|changeme))[\w\-+/=.]{8,}[\"']"
        ),
        *("critical", "medium", "security", "A secret in the code"),
        "Everyone who can read the repository has it, for as long as its history exists. Revoke "
        "it, and read it from the environment.",
        raw=True,
    ),
    ReviewRule(
        "debugger-left",
        PYTHON,
        re.compile(r"^\s*(breakpoint\(\)|i?pdb\.set_trace\(\))"),
        *("high", "high", "bug", "A breakpoint was left"),
        "The program stops here and waits for a person. Remove it.",
    ),
    ReviewRule(
        "debugger-left",
        SCRIPT,
        re.compile(r"^\s*(debugger\b|console\.(log|debug)\()"),
        *("low", "medium", "bug", "A trace of debugging was left"),
        "This writes to the console of every user, or stops there. Remove it.",
    ),
    ReviewRule(
        "loose-equality",
        SCRIPT,
        re.compile(r"(?<![=!<>])(==|!=)(?!=)(?!\s*null\b)"),
        *("low", "medium", "bug", "Comparison that converts its sides"),
        'With `==` the number 0 equals "" and "0". Use `===`.',
    ),
    ReviewRule(
        "float-equality",
        (*PYTHON, *SCRIPT, *C, "go", "java", "rs"),
        re.compile(r"(?<![=!<>])[!=]==?\s*\d+\.\d*[1-9]\b"),
        *("low", "medium", "bug", "A fraction compared exactly"),
        "Most decimal fractions have no exact binary form, so a computed value seldom equals "
        "this one. Compare with a tolerance.",
    ),
    ReviewRule(
        "ignored-error",
        ("go",),
        re.compile(r"(?:^\s*|,\s*)_\s*:?=\s*(?!fmt\.)[\w.]+\("),
        *("medium", "low", "errors", "An error is thrown away"),
        "When this call fails, what follows works on nothing. Return or handle the error.",
    ),
    ReviewRule(
        "unwrap",
        ("rs",),
        re.compile(r"\.unwrap\(\)"),
        *("low", "low", "errors", "A failure becomes a panic"),
        "An error or a missing value ends the thread here. Use `?`, or `expect` with the reason "
        "why it cannot happen.",
    ),
    ReviewRule(
        "unbounded-copy",
        C,
        re.compile(r"(?<![\w.>])(gets|strcpy|strcat|sprintf)\s*\("),
        *("high", "medium", "security", "A copy without a bound"),
        "An input longer than the buffer overwrites what lies behind it. Use the form that takes "
        "a size.",
    ),
)

REFACTORINGS = (
    ReviewRule(
        "not-in",
        PYTHON,
        re.compile(r"(?<!is )\bnot ([\w.]+) in\b"),
        *("low", "high", "refactor", "`not in` reads as one operator"),
        "The same test in the form that Python has for it.",
        _swap(r"\1 not in"),
    ),
    ReviewRule(
        "empty-call",
        PYTHON,
        re.compile(r"(=\s*)(dict|list)\(\)\s*$"),
        *("low", "high", "refactor", "An empty literal says the same"),
        "The literal is shorter and needs no look-up of a name.",
        lambda found, line: (
            line[: found.start()] + found[1] + {"dict": "{}", "list": "[]"}[found[2]]
        ),
    ),
    ReviewRule(
        "two-isinstance",
        PYTHON,
        re.compile(r"\bisinstance\((\w+), ([\w.]+)\) or isinstance\(\1, ([\w.]+)\)"),
        *("low", "high", "refactor", "One isinstance takes several types"),
        "A tuple of types asks the same once.",
        _swap(r"isinstance(\1, (\2, \3))"),
    ),
    ReviewRule(
        "add-to-itself",
        (*SCRIPT, "go"),
        re.compile(r"^(\s*)(\w+) = \2 \+ ([\w.]+)(;?)\s*$"),
        *("low", "high", "refactor", "`+=` says it shorter"),
        "The name stands here twice for one addition.",
        _swap(r"\1\2 += \3\4"),
    ),
)
