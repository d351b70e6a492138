"""The Jinja2 environment of HTML pages that work offline: one file, no script, nothing fetched."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

# Names and comments come from other people. Templates escape them, and this policy stops a
# browser from running or fetching anything that escaping missed.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def build_environment(package: str) -> "Environment":
    """Return an environment with the templates of `package` and the shared `base.html`."""
    # Importing Jinja2 takes tens of milliseconds, and most commands write no page.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    shared = PackageLoader("claude_batch.costs.pages")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["policy"] = CONTENT_SECURITY_POLICY
    return environment
