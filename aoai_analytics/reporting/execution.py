"""Running notebooks by papermill, each in a fresh kernel of the Python that runs this."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

from ..errors import ReportError
from . import warm

#: A socket's path has 103 bytes on macOS, 107 on Linux; a kernel's own part of it takes 40.
_SOCKET_PATH = 60
#: Called with (cells done, cells of the notebook).
Cells = Callable[[int, int], None]


class Kernels:
    """Where kernels come from, and who ends those that still run when it is closed."""

    def __init__(self, *, warmed: bool = True):
        """*warmed*: fork them from a process that has imported what they need, where that can be done."""
        self._warm: warm.Warm | None = None
        if warmed and warm.supported():
            with suppress(OSError):
                self._warm = warm.Warm()
        #: Where kernels' connections lie: of this user's only.
        self.folder = Path(tempfile.mkdtemp(prefix="aoai-"))
        self._processes: list[Any] = []
        self._closed = False
        self._lock = threading.Lock()

    def start(self, cmd: list[str], cold: Callable[[], Any], options: Mapping[str, Any]) -> Any:
        """A kernel's process: forked, else what *cold* starts by *cmd*. Raises OSError after ``close``."""
        process = None
        if self._warm is not None:
            with suppress(OSError):
                # What follows 'python -m ipykernel_launcher'.
                process = self._warm.fork(cmd[3:], options["env"], options.get("cwd"))
        if process is None:
            process = cold()
        with self._lock:
            if not self._closed:
                self._processes.append(process)
                return process
        process.kill()
        raise OSError("the run was stopped")

    def close(self) -> None:
        """End the kernels that still run."""
        with self._lock:
            self._closed = True
        if self._warm is not None:
            self._warm.close()  # first: whoever asks it for a kernel would be waited for
        for process in self._processes:
            if process.poll() is None:
                with suppress(OSError):
                    process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_notebook(
    path: Path,
    parameters: Mapping[str, Any],
    output: Path | None = None,
    *,
    kernels: Kernels | None = None,
    cells: Cells | None = None,
    turn: AbstractContextManager[None] | None = None,
) -> dict[str, Any]:
    """Run the notebook at *path* and give it back with its outputs (nbformat 4); with *output*, write it there too.

    *turn* is entered where the kernel is ready, which may wait, and left after the last cell: kernels start and end
    while others run. A cell that raises does not stop the rest: its error is among its outputs. Raises NotebookStopped,
    which carries the notebook as far as it came, where no kernel starts or it dies.
    """
    if kernels is None:
        with Kernels(warmed=False) as own:
            return run_notebook(path, parameters, output, kernels=own, cells=cells, turn=turn)
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    running: list[Any] = []
    its_turn = ExitStack()

    def begin(notebook: Any) -> None:
        running.append(notebook)
        its_turn.enter_context(turn or nullcontext())

    def count(cell: Any, cell_index: int, **_: Any) -> None:
        done, of = cell_index + 1, len(running[0]["cells"])
        if cells:
            cells(done, of)
        if done == of:
            its_turn.close()

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
        )
    except PapermillExecutionError:
        pass  # It is among the cell's outputs.
    except DeadKernelError as error:
        why = "its kernel died, most often because memory ran out: --jobs 1 needs the least"
        raise NotebookStopped(why, dict(running[0]) if running else None) from error
    except Exception as error:  # whatever it is, it is this notebook's alone; its message may hold anything
        why = f"it could not be run ({type(error).__name__}): run it in Jupyter to see why"
        raise NotebookStopped(why, dict(running[0]) if running else None) from error
    finally:
        its_turn.close()
    return dict(running[0])


class NotebookStopped(ReportError):
    """A notebook that could not be run to its end; ``notebook`` is how far it came, None where it did not begin."""

    def __init__(self, message: str, notebook: dict[str, Any] | None):
        super().__init__(message)
        self.notebook = notebook


def _manager(kernels: Kernels) -> type:
    """A kernel manager class that starts this very interpreter, whatever kernels are installed under whatever names.

    They are spoken to over sockets in a folder of this user's, where the system has such.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.launcher import launch_kernel
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner
    from traitlets import CaselessStrEnum

    # At its end a kernel is interrupted, and would tell the terminal so; what a report's cells say is no history.
    options = ["-f", "{connection_file}", "--log-level=CRITICAL", "--HistoryManager.enabled=False"]
    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", *options],
        display_name="Python",
        language="python",
        env=warm.environment(),
    )

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
            options = LocalProvisioner._scrub_kwargs(kwargs)
            self.process = kernels.start(cmd, lambda: launch_kernel(cmd, **options), options)
            self.pid = self.pgid = self.process.pid  # either way it leads a group of its own
            return self.connection_info

    sockets = sys.platform != "win32" and len(str(kernels.folder)) < _SOCKET_PATH

    class ThisPython(AsyncKernelManager):
        transport = CaselessStrEnum(["tcp", "ipc"], default_value="ipc" if sockets else "tcp")

        def _connection_file_default(self) -> str:
            return str(kernels.folder / f"{uuid.uuid4().hex}.json")

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
            self.kernel_id = self.kernel_id or kwargs.pop("kernel_id", None) or str(uuid.uuid4())
            if self.provisioner is None:
                self.provisioner = Provisioner(parent=self, kernel_id=self.kernel_id, kernel_spec=spec)
            return await super()._async_pre_start_kernel(**kwargs)

        pre_start_kernel = _async_pre_start_kernel

    return ThisPython


def light_imports() -> AbstractContextManager[None]:
    """Import without what costs seconds and is not used here.

    jsonschema, by way of nbformat, compiles ``rfc3987_syntax``'s grammar as it is imported, to check formats that no
    schema of a notebook names. For a process of one's own only: there jsonschema never checks an ``iri`` again.
    """
    return warm.without("rfc3987_syntax")
