"""How commands are found and how each ends: one readable line, and an exit code that says whether it worked."""

import subprocess
import sys
import types

import pytest

from api import _cli
from api._commands.errors import CliError
from api._stack.errors import StackError
from api._stack.settings import REPOSITORY


@pytest.fixture
def fail_with(monkeypatch):
    """Put a command into the program that ends with an exception."""

    def put(error: BaseException) -> None:
        def broken() -> None:
            raise error

        module = types.ModuleType("broken_command")
        module.broken = broken
        monkeypatch.setitem(sys.modules, "broken_command", module)
        monkeypatch.setitem(_cli.COMMANDS, "broken", _cli.Entry("broken_command:broken", "Fails."))

    return put


def test_every_command_can_be_loaded_and_explains_itself(capsys):
    """No entry of the table points nowhere."""
    names = [
        (name, *([] if isinstance(entry, _cli.Entry) else [inner]))
        for name, entry in _cli.COMMANDS.items()
        for inner in ([""] if isinstance(entry, _cli.Entry) else entry.entries)
    ]

    codes = {" ".join(words): _cli.main([*words, "--help"]) for words in names}

    assert codes == dict.fromkeys(codes, 0)
    assert len(codes) > 15
    assert capsys.readouterr().err == ""


def test_the_list_of_commands_loads_none_of_them():
    """Help is asked for in a hurry: neither the commands' modules nor Rich, httpx or pandas are imported for it."""
    script = (
        "import sys; from api import _cli; _cli.main(['--help']); "
        "heavy = {'rich', 'httpx', 'pandas', 'numpy', 'onnxruntime', 'psycopg', 'fastapi', 'streamlit'} & set(sys.modules); "
        "ours = [name for name in sys.modules if name.startswith('api._commands')]; "
        "sys.exit(f'loaded: {heavy} {ours}' if heavy or ours else 0)"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert "predict" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian"], "rowcast: No such command 'trian'. Did you mean 'train'? (see rowcast --help)"),
        (["user", "ad"], "rowcast: No such command 'ad'. Did you mean 'add'? (see rowcast user --help)"),
        (["status", "--jsn"], "rowcast: No such option: --jsn"),
        (["up", "--site-port", "http"], "rowcast: Invalid value for '--site-port': 'http' is not a valid int"),
        (["train"], "rowcast: Missing argument 'FILE'."),
    ],
)
def test_a_mistyped_command_is_answered_in_one_line(capsys, arguments, line):
    code = _cli.main(arguments)

    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith(line[:40])
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [StackError("the disk\n is full"), CliError("the disk is full")])
def test_what_a_person_can_put_right_is_one_line(capsys, fail_with, error):
    fail_with(error)

    code = _cli.main(["broken"])

    assert code == 1
    assert capsys.readouterr().err == "rowcast: the disk is full\n"


def test_a_bug_is_one_line_and_a_traceback_in_a_log(capsys, fail_with):
    fail_with(KeyError("surprise"))

    code = _cli.main(["broken"])

    err = capsys.readouterr().err
    log = REPOSITORY / ".rowcast" / "logs" / "cli.log"
    assert code == 1
    assert err == f"rowcast: KeyError: 'surprise' (a bug of ours; all of it: {log})\n"
    assert "Traceback" in log.read_text()


def test_debug_shows_the_traceback_instead(fail_with):
    fail_with(KeyError("surprise"))

    with pytest.raises(KeyError):
        _cli.main(["--debug", "broken"])


def test_an_interrupted_command_ends_with_the_shells_code(fail_with):
    fail_with(KeyboardInterrupt())

    assert _cli.main(["broken"]) == 130
