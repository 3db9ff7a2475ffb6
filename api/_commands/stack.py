"""`rowcast up`, `down`, `reset` and `worker`: the stack on this machine as a person handles it."""

import os
import sys
import threading
import time
from typing import Annotated

import typer

from api._commands import seed, status
from api._commands.errors import CliError
from api._commands.steps import Steps
from api._stack import control, site, state
from api._stack.interrupts import interruptible
from api._stack.settings import REPOSITORY, Ports, Settings

EXIT_INTERRUPTED = 130

SitePort = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of site and API.", show_default="3000")]
DashboardPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port of the dashboard.", show_default="8501")
]
SupabasePort = Annotated[int | None, typer.Option(min=1, max=65535, help="Supabase's doors.", show_default="54321")]
DatabasePort = Annotated[int | None, typer.Option(min=1, max=65535, help="PostgreSQL.", show_default="54322")]
KvPort = Annotated[int | None, typer.Option(min=1, max=65535, help="Key-value store, HTTP.", show_default="54323")]
RedisPort = Annotated[int | None, typer.Option(min=1, max=65535, help="Key-value store, Redis.", show_default="54324")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Leave it running and give the terminal back.")]
Gallery = Annotated[bool, typer.Option("--gallery/--no-gallery", help="Train the bundled data sets if not done yet.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Drain = Annotated[bool, typer.Option("--drain", help="Work until the queue is empty, then end.")]


def up(
    *,
    detach: Detach = False,
    gallery: Gallery = True,
    site_port: SitePort = None,
    dashboard_port: DashboardPort = None,
    supabase_port: SupabasePort = None,
    database_port: DatabasePort = None,
    kv_port: KvPort = None,
    redis_port: RedisPort = None,
) -> int:
    """Start Rowcast here: database, Supabase's doors, key-value store, API and site, worker, dashboard.

    The first start makes secrets and trains the bundled data sets. Ctrl-C ends everything; the data stays.
    """
    settings = Settings.load(
        site=site_port,
        dashboard=dashboard_port,
        supabase=supabase_port,
        database=database_port,
        kv=kv_port,
        redis=redis_port,
    )
    if state.is_running(settings):
        return _already_running(settings)
    started = time.monotonic()
    return _up_detached(settings, started, gallery=gallery) if detach else _up_here(settings, started, gallery=gallery)


def down() -> None:
    """Stop everything that `up` has started; the data stays."""
    ended = control.stop(Settings.load())
    print("Rowcast is stopped; the data stays." if ended else "Nothing was running.")


def reset(*, yes: Yes = False) -> None:
    """Stop everything and delete the data: accounts, data sets, models, secrets."""
    settings = Settings.load()
    if not yes:
        if not sys.stdin.isatty():
            raise CliError("reset deletes all data of this machine's Rowcast; say --yes to mean it")
        typer.confirm(f"Delete all data in {settings.home}?", abort=True)
    control.stop(settings)
    control.delete_data(settings)
    print("Rowcast is as new; ./rowcast up starts it.")


def worker(*, drain: Drain = False) -> int:
    """Run one more worker beside those that run; Ctrl-C hands its work back and ends it."""
    from api._stack.applications import compose_environ
    from api._stack.secrets import load

    environ = dict(os.environ)
    if "DATABASE_URL" not in environ:
        settings = status.require_running()
        environ |= compose_environ(settings, load(settings))
    command = [sys.executable, "-m", "api._jobs.worker", *(["--drain"] if drain else [])]
    os.chdir(REPOSITORY)
    os.execve(command[0], command, environ)  # noqa: S606  the same fixed command, without a parent left over


def _up_here(settings: Settings, started: float, *, gallery: bool) -> int:
    from api._stack.stack import Stack

    with interruptible(), Steps() as steps:
        stack = Stack(settings, on_event=steps.say)
        try:
            site.build(settings, steps.say)
            stack.start()
            steps.done()
            _welcome(settings, started, gallery=gallery)
            print("\nCtrl-C ends everything; the data stays.", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            steps.say("stopping")
            stack.stop()
            return EXIT_INTERRUPTED
        finally:
            stack.stop()
    return 0


def _up_detached(settings: Settings, started: float, *, gallery: bool) -> int:
    with Steps() as steps:
        site.build(settings, steps.say)
        control.start_detached(settings, steps.say)
    _welcome(settings, started, gallery=gallery)
    print("\n./rowcast down ends it, ./rowcast logs -f shows what it says.")
    return 0


def _already_running(settings: Settings) -> int:
    current = control.wait_until_ready(settings)
    if current is None:
        raise CliError("a stack is starting or stopping here and does not get on; ./rowcast down ends it")
    print("Rowcast is running already.\n")
    print(status.describe(Settings(home=settings.home, ports=Ports(**current.ports))))
    return 0


def _welcome(settings: Settings, started: float, *, gallery: bool) -> None:
    seed.ensure_admin(settings)
    if gallery:
        seed.train_gallery(settings)
    print(f"Rowcast is ready ({time.monotonic() - started:.0f} s).\n")
    print(status.describe(settings))
    if example := seed.find_example(settings):
        print(f"\nTry it:\n  {example}", flush=True)
