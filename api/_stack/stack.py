"""The embedded stack as a whole: what is started in which order, and what is recorded while it runs."""

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime

import psycopg

from api._stack import applications, database, kv, migrations, postgres, secrets, state, supabase_lite
from api._stack.errors import PortTaken, StackError
from api._stack.processes import port_holder
from api._stack.secrets import Secrets
from api._stack.settings import Ports, Settings
from api._stack.state import RunningProcess, State
from api._stack.supervisor import Supervisor

_DESCRIBE = {
    "site": applications.site_service,
    "worker": applications.worker_service,
    "dashboard": applications.dashboard_service,
}
_PORT_PATIENCE_SECONDS = 10.0
"""An outgoing connection of anybody's may have one of our ports for a moment."""

SERVERS = ("database", "redis", "kv", "supabase")
APPLICATIONS = tuple(_DESCRIBE)


class Stack:
    """One run of the stack, owned by this process."""

    def __init__(
        self,
        settings: Settings,
        *,
        applications: Iterable[str] = APPLICATIONS,
        on_event: Callable[[str], None] = print,
    ) -> None:
        self.settings = settings
        self._applications = tuple(applications)
        self._on_event = on_event
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._is_ready = False
        self._writing = threading.Lock()
        self._lock = state.Lock(settings)
        self._supervisor: Supervisor | None = None

    def start(self) -> None:
        """Bring everything up; on any failure nothing is left running.

        Raises:
            StackError: what is in the way, in one line.
        """
        self._claim_home()
        try:
            self._check_ports()
            known = secrets.load(self.settings)
            self._supervisor = Supervisor(self._report)
            self._start_servers(self._supervisor, known)
            self.start_applications(self._applications)
            self._is_ready = True
            self._record()
            self._supervisor.watch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of this run, newest first; the data stays."""
        if self._supervisor is not None:
            self._supervisor.stop_all()
            self._supervisor = None
        if self._lock.is_held:
            state.clear(self.settings)
            self._lock.release()

    def pids(self) -> dict[str, int]:
        """Return the process number of each service."""
        return {name: child.pid for name, child in self._supervisor.children().items()} if self._supervisor else {}

    def environ(self) -> dict[str, str]:
        """Return the variables with which a function, a job or a client uses this stack."""
        return secrets.environ(self.settings, secrets.load(self.settings))

    def start_applications(self, names: Iterable[str]) -> None:
        """Start applications next to the servers that already run, side by side."""
        assert self._supervisor is not None, "start() comes first"
        known = secrets.load(self.settings)
        names = [name for name in names if name not in self._supervisor.children()]
        if names:
            self._on_event(f"starting {', '.join(names)}")
        self._supervisor.start([_DESCRIBE[name](self.settings, known) for name in names])
        self._record()

    def _claim_home(self) -> None:
        self.settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.settings.home.chmod(0o711)  # the database's user must be able to pass through; nobody can look around
        if not self._lock.acquire():
            raise StackError(f"a stack is already running in {self.settings.home}; see ./rowcast status")
        for name in state.end_leftovers(self.settings):
            self._on_event(f"{name} was left over from an earlier run and has been ended")
        self._record()

    def _check_ports(self) -> None:
        needed = [
            name for name in asdict(self.settings.ports) if name not in APPLICATIONS or name in self._applications
        ]
        for name in needed:
            port = getattr(self.settings.ports, name)
            if holder := port_holder(port, patience=_PORT_PATIENCE_SECONDS):
                raise PortTaken(name, port, holder, Ports.variable(name))

    def _start_servers(self, supervisor: Supervisor, known: Secrets) -> None:
        url = secrets.environ(self.settings, known)["DATABASE_URL"]
        self._on_event("starting the database and the key-value store")
        cluster = postgres.prepare(self.settings, known.database_password)
        database_service = postgres.service(self.settings, cluster, lambda: database.is_answering(url))
        supervisor.start(
            [database_service, kv.redis_service(self.settings, known), kv.door_service(self.settings, known)]
        )
        self._record()
        doors = supabase_lite.service(self.settings, known)
        with psycopg.connect(url, autocommit=True) as connection:
            database.furnish(connection, known)
            if not database.has_auth(connection):
                supervisor.start([doors])
                supervisor.stop(doors.name)
            applied = migrations.apply(connection, self._on_event)
        self._on_event(f"applied {applied} migrations" if applied else "the database is up to date")
        supervisor.start([doors])
        self._record()

    def _report(self, line: str) -> None:
        self._on_event(line)
        self._record()

    def _record(self) -> None:
        supervisor, own = self._supervisor, RunningProcess.of(os.getpid())
        assert own is not None
        children = supervisor.children() if supervisor else {}
        with self._writing:
            state.write(
                self.settings,
                State(
                    supervisor=own,
                    started_at=self._started_at,
                    is_ready=self._is_ready,
                    ports=asdict(self.settings.ports),
                    processes={
                        name: each for name, child in children.items() if (each := RunningProcess.of(child.pid))
                    },
                    restarts={name: count for name in children if supervisor and (count := supervisor.restarts(name))},
                ),
            )
