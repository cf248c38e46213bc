"""Running a notebook by papermill, in a fresh kernel of the Python that runs this."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ReportError


def run_notebook(path: Path, parameters: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Run the notebook at *path* and give it back with its outputs (nbformat 4); it is also written to *output*.

    A cell that raises does not stop the rest: its error is among its outputs. Raises ReportError where no kernel
    starts or it dies.
    """
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook
    from traitlets import CaselessStrEnum

    class ThisPython(AsyncKernelManager):
        """Starts this interpreter, whatever kernels are installed under whatever names.

        It is spoken to over sockets in a folder of this user's, where the system has such.
        """

        transport = CaselessStrEnum(["tcp", "ipc"], default_value="tcp" if sys.platform == "win32" else "ipc")

        @property
        def kernel_spec(self) -> KernelSpec:
            # At its end a kernel is interrupted, and would tell the terminal so.
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
            return KernelSpec(argv=argv, display_name="Python", language="python", env=_environment())

    logging.getLogger("papermill").setLevel(logging.ERROR)
    # None is left to the notebook's own default.
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        execute_notebook(
            str(path),
            str(output),
            parameters=given,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel_manager_class=ThisPython,
            allow_errors=True,
        )
    except PapermillExecutionError:
        pass  # It has been written to the notebook, which the page reads.
    except (DeadKernelError, RuntimeError, OSError) as error:
        raise ReportError(f"the notebook {path.name} could not be run: {type(error).__name__}: {error}") from error
    notebook: dict[str, Any] = nbformat.read(output, as_version=4)
    return notebook


def _environment() -> dict[str, str]:
    """The kernel imports this very package, also from a checkout that is not installed."""
    package = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, known])), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
