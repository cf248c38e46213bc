"""Optional parts of the installation: a missing one is an error that names the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtra

#: Extra -> the modules that only it installs. A test compares this with pyproject.toml.
EXTRAS = {
    "notebooks": (
        "IPython",
        "ipykernel",
        "ipywidgets",
        "jinja2",
        "jupyter_client",
        "markupsafe",
        "mistune",
        "nbclient",
        "papermill",
        "plotly",
        "pygments",
    ),
    "prompts": ("phonenumbers", "py3langid", "scipy", "sklearn", "stdnum", "threadpoolctl"),
    "sandbox": ("bpe_openai", "starlette", "uvicorn"),
    "setup": ("azure.mgmt", "openai"),
}


@contextmanager
def named() -> Iterator[None]:
    """Raises MissingExtra, with the command that installs it, where a module of an extra is imported and missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = error.name or ""
        for extra, modules in EXTRAS.items():
            if any(f"{module}.".startswith(f"{start}.") for start in modules):
                raise MissingExtra(
                    f"this needs the extra '{extra}' ({module} is not installed): pip install 'aoai-analytics[{extra}]'"
                ) from error
        raise
