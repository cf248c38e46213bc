"""``aoai notebooks copy`` gives the shipped notebooks, and never overwrites what its user changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ended
from tests.conftest import REPO


def test_the_notebooks_are_copied_as_they_are_shipped(aoai: Callable[..., Ended], tmp_path: Path) -> None:
    done = aoai("notebooks", "copy", tmp_path / "mine")
    assert done.code == 0 and done.out == "" and "jupyter lab" in done.err
    given = REPO / "notebooks"
    shipped = {path.relative_to(given) for path in given.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    copied = {path.relative_to(tmp_path / "mine") for path in (tmp_path / "mine").rglob("*.ipynb")}
    assert copied == shipped and len(copied) > 10
    assert all((tmp_path / "mine" / name).read_bytes() == (given / name).read_bytes() for name in shipped)


def test_a_changed_notebook_is_overwritten_only_with_force(aoai: Callable[..., Ended], tmp_path: Path) -> None:
    aoai("notebooks", "copy", tmp_path / "mine")
    changed, gone = (tmp_path / "mine/analysis" / name for name in ("tokens.ipynb", "users.ipynb"))
    shipped = changed.read_bytes()
    changed.write_text("{}")
    gone.unlink()
    refused = aoai("notebooks", "copy", tmp_path / "mine")
    assert refused.code == 2 and str(changed) in refused.err and "--force" in refused.err
    assert changed.read_text() == "{}" and not gone.exists()
    assert aoai("notebooks", "copy", tmp_path / "mine", "--force").code == 0
    assert changed.read_bytes() == shipped and gone.exists()
