"""The commit behind a tag or a branch of a published repository, through `git ls-remote`."""

from claude_batch.edges.git_process import Git, GitFailed


def resolve(git: Git, url: str, ref: str) -> str | None:
    """None without such a ref, and where the repository cannot be reached."""
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")
    try:
        printed = git.run("ls-remote", "--end-of-options", url, *names).out.decode()
    except GitFailed:
        return None
    found = {name: commit for commit, name in (line.split("\t") for line in printed.splitlines())}
    return next((found[name] for name in names if name in found), None)
