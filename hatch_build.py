"""Puts the queries, the notebooks and the setup templates inside the package in a wheel.

They live at the top of the repository, where people look for them. An editable installation reads them there, so it
gets no copies, which would go stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("kql", "notebooks", "setup_scripts")
LEFT_OUT = {".ipynb_checkpoints", "__pycache__"}


class ShippedFolders(BuildHookInterface):
    """Adds each folder to a standard wheel, and refuses to build one without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build; ``version`` is ``standard`` or ``editable``."""
        if version != "standard":
            return
        for folder in FOLDERS:
            source = Path(self.root, folder)
            if not source.is_dir():
                raise FileNotFoundError(f"{source} is missing: a wheel must carry it")
            # One by one: a folder would bring the checkpoints that Jupyter leaves beside a notebook.
            for path in source.rglob("*"):
                if path.is_file() and LEFT_OUT.isdisjoint(path.parts):
                    build_data["force_include"][str(path)] = f"aoai_analytics/{path.relative_to(self.root).as_posix()}"
