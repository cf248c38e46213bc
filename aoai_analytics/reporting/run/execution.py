"""Run a notebook by papermill, in a fresh kernel of the Python that runs this."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import ReportError
from .kernels import Kernels, environment

#: A socket's path has 103 bytes on macOS, 107 on Linux; a kernel's own part of it takes 40.
_SOCKET_PATH = 60
#: Called with (cells done, cells of the notebook).
Cells = Callable[[int, int], None]


class NotebookStopped(ReportError):
    """A notebook that could not be run to its end; ``notebook`` is how far it came, None where it did not begin."""

    def __init__(self, message: str, notebook: dict[str, Any] | None):
        super().__init__(message)
        self.notebook = notebook


def run_notebook(
    path: Path,
    parameters: Mapping[str, Any],
    output: Path | None = None,
    *,
    kernels: Kernels | None = None,
    cells: Cells | None = None,
) -> dict[str, Any]:
    """Run the notebook at *path* and return it with its outputs (nbformat 4); with *output*, also write it there.

    A cell that raises does not stop the rest: its error is among its outputs. Raises NotebookStopped, which carries the
    notebook as far as it came, where no kernel starts or it dies.
    """
    if kernels is None:
        with Kernels(warmed=False) as own:
            return run_notebook(path, parameters, output, kernels=own, cells=cells)
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    running: list[Any] = []

    def begin(notebook: Any) -> None:
        running.append(notebook)

    def count(cell: Any, cell_index: int, **_: Any) -> None:
        if cells:
            cells(cell_index + 1, len(running[0]["cells"]))

    try:
        execute_notebook(
            str(path),
            str(output) if output else None,
            # None is left to the notebook's own default.
            parameters={name: value for name, value in parameters.items() if value is not None},
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel_manager_class=_manager(kernels),
            allow_errors=True,
            on_notebook_start=begin,
            on_cell_complete=count,
            on_cell_executed=_with_error,
        )
    except PapermillExecutionError:
        pass  # It is among the cell's outputs.
    except DeadKernelError as error:
        why = "its kernel died, most often because memory ran out: --jobs 1 needs the least"
        raise NotebookStopped(why, dict(running[0]) if running else None) from error
    except Exception as error:  # whatever it is, it concerns this notebook only; its message may hold anything
        why = f"it could not be run ({type(error).__name__}): run it in Jupyter to see why"
        raise NotebookStopped(why, dict(running[0]) if running else None) from error
    return dict(running[0])


def _with_error(cell: Any, execute_reply: Any, **_: Any) -> None:
    """Add the error that the kernel replied with, where IPython could not format it and printed it instead."""
    reply = execute_reply["content"]
    if reply["status"] == "error" and all(output["output_type"] != "error" for output in cell["outputs"]):
        error = {name: reply.get(name, empty) for name, empty in (("ename", ""), ("evalue", ""), ("traceback", []))}
        cell["outputs"].append(type(cell)(output_type="error", **error))


def _manager(kernels: Kernels) -> type:
    """A kernel manager class that runs this very interpreter, whatever kernels are installed under whatever names.

    Its kernels use sockets in a folder of this user's, where the system has such.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    # At its end a kernel is interrupted, and would print so; the cells of a report belong to no history.
    options = ["--log-level=CRITICAL", "--HistoryManager.enabled=False"]
    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *options],
        display_name="Python",
        language="python",
        env=environment(),
    )
    sockets = sys.platform != "win32" and len(str(kernels.folder)) < _SOCKET_PATH

    class Provisioner(LocalProvisioner):
        parent: Any

        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
            argv = ["-f", self.parent.connection_file, *options]
            process: Any = kernels.fork(argv, kwargs["env"], kwargs.get("cwd"))
            if process is None:
                await super().launch_kernel(cmd, **kwargs)
                process = self.process
            kernels.add(process)
            self.process = process
            self.pid = self.pgid = process.pid  # either way it leads its own group
            return self.connection_info

    class ThisPython(AsyncKernelManager):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.transport = "ipc" if sockets else "tcp"
            name = uuid.uuid4().hex
            self.connection_file = str(kernels.folder / f"{name}.json")
            self.provisioner = Provisioner(parent=self, kernel_id=name, kernel_spec=spec)

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ThisPython
