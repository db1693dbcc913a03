"""Builds the parts that have no wheel, in the background, into a cache outside the tree.

``$XDG_CACHE_HOME/grpc-platform`` holds one directory a part and one log a part. Until all are built
it also holds ``go-build``, ``go-mod`` and ``go-path``, Go's own caches (6 GB), which let an
interrupted build continue.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from testbed.cluster import parts
from testbed.cluster.errors import LocalError
from testbed.cluster.parts import GoPart

DISK_NEEDED = 8 * 1024**3

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# When the kernel grants no more namespaces, the error says "no space" too.
FULL_DISK = re.compile(
    "(?<!unshare failed: )no space left on device|disk quota exceeded", re.IGNORECASE
)
_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|connection re(fused|set)|TLS handshake"
    r"|module lookup disabled|: [45]\d\d [A-Z]|unexpected EOF|proxyconnect"
)


@dataclass(frozen=True)
class Progress:
    """One part's progress: packages compiled, and how many in all (None until Go has listed
    them)."""

    part: str
    state: str
    done: int = 0
    total: int | None = None
    seconds: float = 0.0


class Builder:
    """Builds the missing parts of ``wanted``, in its order; ``result`` waits for one part."""

    def __init__(
        self, root: Path | None = None, *, wanted: Sequence[GoPart] = parts.GO_PARTS
    ) -> None:
        self.root = root or parts.cache_root()
        self._wanted = wanted
        self._progress: dict[str, Progress] = {}
        self._futures: dict[str, Future[Path]] = {}
        self._compiled: set[str] = set()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopping = threading.Event()
        self._using = contextlib.ExitStack()
        # One build at a time: each uses every core, and callers wait for the first parts. Listing a
        # part's packages fetches its modules, which takes the network and hardly any CPU.
        self._building = ThreadPoolExecutor(1, thread_name_prefix="build")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="read")

    def start(self) -> None:
        """Begin. Raises LocalError when a build cannot succeed."""
        missing: list[GoPart] = []
        for part in self._wanted:
            built = self._built(part)
            if not built.exists():
                found = part.installed
                if part.version_command:
                    found = parts.on_path(part.name, part.version, part.version_command)
                if found is None or not found.exists():
                    self._set(part, "waiting")
                    missing.append(part)
                    continue
                built = found
            self._progress[part.name] = Progress(part.name, "ready")
            self._futures[part.name] = Future[Path]()
            self._futures[part.name].set_result(built)
        if not missing:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        if any(part.module is None for part in missing):
            self._require_disk_space()
        self._go_program = parts.go_program()
        if not self._go_program.exists():
            names = ", ".join(f"{part.name} {part.version}" for part in missing)
            raise LocalError(
                f"there is neither {names} here nor a Go to build with",
                advice="make .venv/.local installs Go",
            )
        # Others may build here too: nobody may drop Go's caches meanwhile, and folders are our own.
        using = self._using.enter_context((self.root / "using").open("w"))
        fcntl.flock(using, fcntl.LOCK_SH)
        folder = self.root / "work"
        folder.mkdir(exist_ok=True)
        own = TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
        self._folder = Path(self._using.enter_context(own))
        reads = {part.name: self._reading.submit(self._read, part) for part in missing}
        for part in missing:
            task = self._building.submit(self._build, part, reads[part.name])
            self._futures[part.name] = task
        self._building.submit(self._drop_go_caches, using)

    def result(self, name: str, timeout: float | None = None) -> Path:
        """The part's path; raises LocalError when it cannot be built, TimeoutError when time is
        up."""
        try:
            return self._futures[name].result(timeout)
        except CancelledError:
            raise LocalError(f"the build of {name} was stopped") from None

    def done(self, name: str) -> bool:
        """Whether `result` would return at once."""
        return self._futures[name].done()

    @property
    def unfinished(self) -> bool:
        """Whether a part is still to be built."""
        return any(part.state not in ("ready", "built") for part in self.progress())

    def progress(self) -> list[Progress]:
        """Each part's progress, in the order of building."""
        return list(self._progress.values())

    def stop(self) -> None:
        """End the running builds; what Go has compiled stays in its cache."""
        self._stopping.set()
        for pool in (self._reading, self._building):
            pool.shutdown(wait=False, cancel_futures=True)
        for process in list(self._processes):
            _end(process)
        for pool in (self._reading, self._building):
            pool.shutdown()
        self._using.close()

    # The methods below run in the two background threads.

    def _read(self, part: GoPart) -> set[str]:
        """Write the part's module, fetch its dependencies, and list its packages."""
        self._set(part, "fetching modules")
        self._log(part).unlink(missing_ok=True)
        work = self._work(part)
        (work / "tmp").mkdir(parents=True)
        if part.patch:
            patched = work / "patched"
            shutil.copytree(self._downloaded(part, part.patch.module, "Dir"), patched)
            part.patch.apply(patched)
        if part.module:
            for source in part.sources:
                shutil.copy(source, work)
        else:
            self._lay_out(part)
        packages = set(self._go(part, "list", *_tags(part), "-deps", part.package))
        self._set(part, "waiting")
        return packages

    def _lay_out(self, part: GoPart) -> None:
        """Write a Go module that requires the part's module."""
        work = self._work(part)
        kubernetes = f"k8s.io/kubernetes@{part.modules['k8s.io/kubernetes']}"
        go_mod = self._downloaded(part, kubernetes, "GoMod")
        (work / "go.mod").write_text(parts.go_mod(part, go_mod.read_text()))
        if part.main:
            (work / part.package).mkdir()
            (work / part.package / "main.go").write_text(part.main)

    def _downloaded(self, part: GoPart, module: str, what: str) -> Path:
        """Where Go put a module, or its go.mod."""
        said = "".join(self._go(part, "mod", "download", "-json", module))
        found = re.search(rf'"{what}": "([^"]+)"', said)
        if found is None:
            raise self._failure(part)
        return Path(found[1])

    def _build(self, part: GoPart, reading: Future[set[str]]) -> Path:
        started = time.monotonic()
        try:
            packages = reading.result()
            with (self.root / "lock").open("w") as lock:
                self._set(part, "waiting for another build")
                while not (self._stopping.is_set() or take_lock(lock)):
                    self._stopping.wait(0.2)
                self._compile(part, packages, started)
        except BaseException as error:
            self._set(part, "failed")
            if isinstance(error, OSError) and error.errno in NO_SPACE:
                raise self._no_space(part) from None
            raise
        self._compiled |= packages
        self._set(part, "built", seconds=time.monotonic() - started)
        return self._built(part)

    def _compile(self, part: GoPart, packages: set[str], started: float) -> None:
        built = self._built(part)
        if built.exists():
            return
        new = packages - self._compiled
        binary = self._work(part) / part.name
        self._set(part, "building", 0, len(new))
        arguments = ("build", "-v", "-trimpath", f"-ldflags={part.ldflags}", *_tags(part))
        seen: set[str] = set()

        def count(line: str) -> None:  # Go names each package as it begins to compile it
            if line in new:
                seen.add(line)
                seconds = time.monotonic() - started
                self._set(part, "building", len(seen), len(new), seconds)

        self._go(part, *arguments, "-o", str(binary), part.package, on_line=count)
        built.parent.mkdir(exist_ok=True)
        binary.rename(built)

    def _go(
        self, part: GoPart, *arguments: str, on_line: Callable[[str], None] | None = None
    ) -> list[str]:
        """Run Go in the part's module. Returns its lines of output; ``on_line`` gets those of its
        errors."""
        environment = {
            **os.environ,
            # Without it Go makes ~/go for the checksums it has seen.
            "GOPATH": str(self.root / "go-path"),
            "GOCACHE": str(self.root / "go-build"),
            "GOMODCACHE": str(self.root / "go-mod"),
            "GOTMPDIR": str(self._work(part) / "tmp"),
            "GOFLAGS": "-mod=mod -modcacherw -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            # The compiler collects garbage less often: a fifth less time, for more memory.
            "GOGC": "400",
        }
        # A build must not continue when this process is killed.
        command = ["setpriv", "--pdeathsig", "TERM", "nice", "-n", "5", str(self._go_program)]
        lines: list[str] = []
        with self._log(part).open("a") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self._work(part),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if on_line else log,
                text=True,
                process_group=0,
            )
            self._processes.add(process)
            # Checked after the start: a caller of `stop` either saw the process, or is noticed
            # here.
            if self._stopping.is_set():
                _end(process)
            assert process.stdout is not None
            with process:
                for line in process.stdout:
                    lines.append(line.strip())
                    if on_line:
                        log.write(line)
                        on_line(line.strip())
            status = process.returncode
            self._processes.discard(process)
            if status and not on_line:  # `go mod download -json` prints its errors there
                log.write("\n".join(lines))
        if self._stopping.is_set():
            raise LocalError(f"the build of {part.name} was stopped")
        if status:
            raise self._failure(part)
        return lines

    def _failure(self, part: GoPart) -> LocalError:
        log = self._log(part)
        text = log.read_text(errors="replace")
        if FULL_DISK.search(text):
            return self._no_space(part)
        if _NETWORK.search(text):
            return LocalError(
                f"a Go module that {part.name} needs could not be fetched",
                advice="check that the module proxy (GOPROXY) can be reached, and run it "
                "again: it continues where it stopped",
                log=log,
            )
        return LocalError(f"{part.name} {part.version} could not be built", log=log)

    def _no_space(self, part: GoPart) -> LocalError:
        return LocalError(
            f"the disk was full during the build of {part.name}",
            advice=f"free some space for {self.root} and run it again",
            log=self._log(part),
        )

    def _drop_go_caches(self, using: TextIO) -> None:
        """Delete Go's caches once every part is built, and no other process builds here: only
        another version would need them."""
        with self._using:
            every = all(self._built(part).exists() for part in (*parts.GO_PARTS, *self._wanted))
            if every and take_lock(using):
                for directory in ("go-build", "go-mod", "go-path", "work"):
                    shutil.rmtree(self.root / directory, ignore_errors=True)

    def _require_disk_space(self) -> None:
        if (self.root / "go-build").exists():
            return  # a build under way, or an interrupted one: some of it is there
        free = shutil.disk_usage(self.root).free
        if free < DISK_NEEDED:
            raise LocalError(
                f"{self.root} has {free / 1024**3:.1f} GiB free; "
                f"building the parts takes {DISK_NEEDED / 1024**3:.0f}",
                advice="free some space, or set XDG_CACHE_HOME to a disk that has it",
            )

    def _set(
        self, part: GoPart, state: str, done: int = 0, total: int | None = None, seconds: float = 0
    ) -> None:
        self._progress[part.name] = Progress(part.name, state, done, total, seconds)

    def _built(self, part: GoPart) -> Path:
        return self.root / part.key / part.name

    def _work(self, part: GoPart) -> Path:
        return self._folder / part.name

    def _log(self, part: GoPart) -> Path:
        return self.root / f"{part.key}.log"


def take_lock(file: TextIO) -> bool:
    """Lock the file for this handle alone; False at once if another handle has a lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tags(part: GoPart) -> list[str]:
    return [f"-tags={','.join(part.tags)}"] if part.tags else []


def _end(process: subprocess.Popen[str]) -> None:
    """End Go together with its compilers: Go alone would leave them running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
