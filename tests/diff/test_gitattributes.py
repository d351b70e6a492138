"""git itself is the judge of what a .gitattributes file says."""

from collections.abc import Mapping

import pytest

from claude_batch.diff.gitattributes import GitAttributes, State
from scratch import Work

NAMES = ("diff", "text", "merge", "linguist-generated", "linguist-vendored", "lang")
PATHS = (
    "a.py",
    "b.pyc",
    "docs",
    "docs2/a.py",
    "docs2/sub/a.py",
    "docs2/sub/deep/b.txt",
    "src/gen/x.go",
    "src/a.py",
    "src/a b.py",
    "src/[x].py",
    "src/x.py",
    "src/tab\there.py",
    'src/q"uote.py',
    "café.py",
    "star*.py",
)
CASES: tuple[Mapping[str, str], ...] = (
    {".gitattributes": "*.py linguist-generated\n\n# note\n  a.py  -diff  lang=x\r\n"},
    {".gitattributes": "docs2 -diff\ndocs2/ -text\ndocs2/** lang=y\n"},
    {".gitattributes": "/a.py -diff\nsub/a.py -text\n**/sub/*.py lang=z\n"},
    {".gitattributes": "src/**/x.go lang=1\nsrc/*.go lang=2\n**/deep/** lang=3\n"},
    {".gitattributes": "* lang=all\n*.py !lang\n", "src/.gitattributes": "a.py lang=near\n"},
    {".gitattributes": "*.py binary\n", "src/.gitattributes": "/a.py diff merge=union\n"},
    {".gitattributes": "[attr]made linguist-generated=true -diff\n*.go made\nx.py -made\n"},
    {".gitattributes": '"src/a b.py" lang=space\n"src/tab\\there.py" lang=tab\n'},
    {".gitattributes": "src/\\[x\\].py lang=literal\nsrc/[x].py lang=set\n[!ab].py lang=not\n"},
    {".gitattributes": "?.py lang=one\n[a-c].py* lang=range\ncaf?.py lang=b\nstar\\*.py lang=s\n"},
    {".gitattributes": "[z-a].py lang=never\n!a.py lang=never\n** lang=every\n"},
    {".gitattributes": "docs2/**/a.py lang=mid\n/**/b.txt lang=deep\nsrc** lang=odd\n"},
)


def _word(state: State) -> str:
    return {True: "set", False: "unset", None: "unspecified"}.get(state, str(state))


@pytest.mark.parametrize("files", CASES, ids=range(len(CASES)))
def test_as_git_check_attr_has_it(work: Work, files: Mapping[str, str]) -> None:
    work.write(dict(files))
    out = work.git(
        "check-attr", "-z", "--stdin", *NAMES, stdin="".join(f"{p}\0" for p in PATHS).encode()
    )
    fields = out.decode().split("\0")[:-1]
    expected = {
        (path, name): value
        for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    }
    ours = GitAttributes({path: text.encode() for path, text in files.items()})
    found = {
        (path, name): _word(ours.states_for(path).get(name)) for path in PATHS for name in NAMES
    }
    assert found == expected
