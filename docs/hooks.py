"""What MkDocs changes of the pages as it builds the site: three more pages, and links to files that are not pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
#: Pages of the site that are kept at the repository's top, where people and package indexes look for them.
TOP_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(\]\()([^)\s#]+)([^)\s]*\))")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from the repository's top."""
    for source, page in TOP_PAGES.items():
        text = _LINK.sub(lambda link: _from_top(link, config), (ROOT / source).read_text("utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn links that leave docs/ into links to another page of the site, or to the repository."""
    return _LINK.sub(lambda link: _from_docs(link, config, page.file.src_uri), markdown)


def _from_top(link: re.Match[str], config: Any) -> str:
    target = link[2]
    return link[0] if "://" in target or target.startswith("mailto:") else link[1] + _place(target, config) + link[3]


def _from_docs(link: re.Match[str], config: Any, page: str) -> str:
    if not link[2].startswith("../"):
        return link[0]
    return link[1] + _place(posixpath.normpath(posixpath.join("docs", link[2])), config, page) + link[3]


def _place(path: str, config: Any, page: str = "") -> str:
    """Where the site leads for a path from the repository's top. Raises PluginError where there is no such file."""
    path = path.rstrip("/")
    if not (ROOT / path).exists():
        raise PluginError(f"{page or 'a page from the top'} links to {path}, which is not there")
    if path in TOP_PAGES:
        return TOP_PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{config['repo_url'].rstrip('/')}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"
