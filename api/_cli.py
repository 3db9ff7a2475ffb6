"""The commands behind `./rowcast`: which there are, and how each ends.

A command's module is imported when that command is called, so that `./rowcast --help` costs no more than its own text.
What a person can put right leaves as one line on stderr and a non-zero exit; anything else is a bug, which leaves one
line as well and its traceback in a log.
"""

import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_HERE, _MODELS, _ACCESS, _WORK = "This machine", "Models", "People and programs", "Work on Rowcast"


@dataclass(frozen=True)
class Entry:
    """Where a command is (`module:function`) and what the list of commands says about it."""

    target: str
    help: str
    panel: str = "Commands"


@dataclass(frozen=True)
class Group:
    """Commands that share a first word."""

    entries: "Mapping[str, Entry | Group]"
    help: str
    panel: str = ""
    epilog: str = ""
    default: str = ""
    """The command that is meant when none is named; without it the group lists its commands."""


COMMANDS: dict[str, Entry | Group] = {
    "up": Entry("api._commands.stack:up", "Start Rowcast here, with everything it needs.", _HERE),
    "down": Entry("api._commands.stack:down", "Stop it; the data stays.", _HERE),
    "status": Entry("api._commands.status:status", "Show what runs, where, and how it is.", _HERE),
    "logs": Entry("api._commands.status:logs", "Show what the services say.", _HERE),
    "reset": Entry("api._commands.stack:reset", "Stop it and delete its data.", _HERE),
    "doctor": Entry("api._commands.doctor.command:doctor", "Find what is wrong, and what puts it right.", _HERE),
    "worker": Entry("api._commands.stack:worker", "Run one more worker.", _HERE),
    "train": Entry("api._commands.train:train", "Train a model from a CSV.", _MODELS),
    "predict": Entry("api._commands.predict:predict", "Predict one row or a CSV.", _MODELS),
    "run": Group(
        {
            "list": Entry("api._commands.runs:run_list", "List training runs."),
            "follow": Entry("api._commands.runs:run_follow", "Watch a run until it ends."),
            "cancel": Entry("api._commands.runs:run_cancel", "End a run."),
        },
        "Training runs.",
        _MODELS,
    ),
    "model": Group(
        {
            "list": Entry("api._commands.model:model_list", "List models."),
            "show": Entry("api._commands.model:model_show", "Show a model, its versions and aliases."),
            "compare": Entry("api._commands.model:model_compare", "Put two versions side by side."),
            "history": Entry("api._commands.model:model_history", "Tell who moved what, and what was live when."),
            "replay": Entry("api._commands.model_moves:model_replay", "Try a version on rows that were sent."),
            "promote": Entry("api._commands.model_moves:model_promote", "Make a version the champion."),
            "rollback": Entry("api._commands.model_moves:model_rollback", "Undo the last promotion."),
            "alias": Entry("api._commands.model_moves:model_alias", "Point a name at a version, or give it up."),
            "card": Entry("api._commands.model_files:model_card", "Print the card of a version."),
            "download": Entry("api._commands.model_files:model_download", "Fetch model.onnx and its card."),
            "import": Entry("api._commands.model_import:model_import", "Bring an ONNX file of your own."),
            "archive": Entry("api._commands.model_care:model_archive", "Retire a model; it still answers."),
            "unarchive": Entry("api._commands.model_care:model_unarchive", "Take a model back into use."),
            "delete": Entry("api._commands.model_care:model_delete", "Delete the file of a version."),
        },
        "Models, their versions, and which one answers.",
        _MODELS,
    ),
    "dataset": Group(
        {
            "add": Entry("api._commands.dataset:dataset_add", "Upload a table and show what it holds."),
            "from-table": Entry("api._commands.dataset:dataset_from_table", "Take rows of a table of the database."),
            "list": Entry("api._commands.dataset:dataset_list", "List your datasets."),
            "show": Entry("api._commands.dataset:dataset_show", "Show columns and warnings."),
            "correct": Entry("api._commands.dataset:dataset_correct", "Say what a column is, or leave it out."),
            "delete": Entry("api._commands.dataset:dataset_delete", "Delete a dataset and its bytes."),
        },
        "Tables to train on.",
        _MODELS,
    ),
    "user": Group(
        {
            "add": Entry("api._commands.accounts:user_add", "Add a person, or change a role."),
            "list": Entry("api._commands.accounts:user_list", "List who may sign in."),
            "role": Entry("api._commands.accounts:user_role", "Change what a person may do."),
            "remove": Entry("api._commands.accounts:user_remove", "End an account."),
        },
        "Who may sign in, and as what.",
        _ACCESS,
    ),
    "key": Group(
        {
            "create": Entry("api._commands.accounts:key_create", "Make a key for a program."),
            "list": Entry("api._commands.accounts:key_list", "List your keys."),
            "rotate": Entry("api._commands.accounts:key_rotate", "Replace a key; both work for a while."),
            "revoke": Entry("api._commands.accounts:key_revoke", "End a key at once."),
        },
        "Keys with which programs come.",
        _ACCESS,
    ),
    "hook": Group(
        {
            "create": Entry("api._commands.hook:hook_create", "Open a door for webhooks."),
            "attach": Entry("api._commands.hook:hook_attach", "Let the rows of a table be predicted."),
            "list": Entry("api._commands.hook:hook_list", "List your hooks."),
            "test": Entry("api._commands.hook:hook_test", "Show what a payload would become."),
            "rotate": Entry("api._commands.hook:hook_rotate", "Replace a secret."),
            "delete": Entry("api._commands.hook:hook_delete", "Close a hook."),
        },
        "Webhooks in: a row comes in, a prediction goes back.",
        _MODELS,
    ),
    "subscription": Group(
        {
            "create": Entry("api._commands.subscription:subscription_create", "Subscribe an address to events."),
            "list": Entry("api._commands.subscription:subscription_list", "List your subscriptions."),
            "test": Entry("api._commands.subscription:subscription_test", "Send a test event now."),
            "deliveries": Entry("api._commands.subscription:subscription_deliveries", "List what was sent."),
            "replay": Entry("api._commands.subscription:subscription_replay", "Send deliveries again."),
            "rotate": Entry("api._commands.subscription:subscription_rotate", "Change the signing secret."),
            "enable": Entry("api._commands.subscription:subscription_enable", "Switch one on again."),
            "disable": Entry("api._commands.subscription:subscription_disable", "Switch one off."),
            "delete": Entry("api._commands.subscription:subscription_delete", "Delete one with its log."),
        },
        "Webhooks out: who is told of what.",
        _ACCESS,
    ),
    "deploy": Group(
        {
            "setup": Entry("api._commands.deploy.walk:setup", "Walk through a first deployment (also without a word)."),
            "migrate": Entry("api._commands.deploy.migrate:migrate", "Bring the database up to date."),
            "bundle": Entry("api._commands.deploy.bundle:bundle", "Bundle the published champions."),
            "push": Entry("api._commands.deploy.push:push", "Build, deploy and try it."),
            "smoke": Entry("api._commands.deploy.smoke:smoke", "Try a deployment as a stranger."),
        },
        "From fresh accounts to a running deployment.",
        _WORK,
        default="setup",
    ),
    "check": Entry("api._commands.quality:check", "Format, lint and types of everything.", _WORK),
    "test": Entry("api._commands.quality:run_tests", "Every check and test.", _WORK),
    "build": Entry("api._commands.quality:build", "Build the site.", _WORK),
    "bench": Entry("api._commands.bench.command:bench", "Measure what a prediction costs.", _WORK),
}
PROGRAM = Group(
    COMMANDS,
    "Row in, prediction out.",
    epilog="`rowcast --debug COMMAND` shows a traceback where there is one; `rowcast --version` tells the version.",
)


class LazyCommand(TyperCommand):
    """A name and a line of help; the command itself is loaded when it is called."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help, rich_help_panel=entry.panel)
        self._target = entry.target

    def load(self) -> TyperCommand:
        """Import the command's module and make the command of its function."""
        module, _, function = self._target.partition(":")
        loader = typer.Typer(add_completion=False)
        loader.command(self.name)(getattr(importlib.import_module(module), function))
        command = typer.main.get_command(loader)
        assert isinstance(command, TyperCommand)
        return command


class LazyGroup(TyperGroup):
    """A group whose commands are loaded one by one; called without any, it lists them, or runs its default."""

    default = ""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  the name is Typer's
        """List the commands by what they are about, in plain text: Typer's panels take 0.2 s to load."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(panel, []).append((name, command.help or ""))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the group's own options."""
        if self.default and (not args or args[0].startswith("-")) and "--help" not in args:
            args = [self.default, *args]
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that is called and load it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def make_group(name: str, group: Group) -> LazyGroup:
    """Make a group of lazy commands."""
    commands: dict[str, Any] = {
        each: LazyCommand(each, entry) if isinstance(entry, Entry) else make_group(each, entry)
        for each, entry in group.entries.items()
    }
    made = LazyGroup(
        name=name,
        commands=commands,
        help=group.help,
        rich_help_panel=group.panel,
        epilog=group.epilog,
        rich_markup_mode=None,
    )
    made.default = group.default
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    is_debugging = arguments[:1] == ["--debug"]
    if arguments[:1] == ["--version"]:
        from api._lib import VERSION

        print(f"rowcast {VERSION}")
        return 0
    try:
        program = make_group("rowcast", PROGRAM)
        code = program.main(arguments[is_debugging:], prog_name="rowcast", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        place = getattr(getattr(error, "ctx", None), "command_path", "rowcast")
        return _complain(f"{error.format_message()} (see {place} --help)", EXIT_USAGE)
    except Exception as error:
        if is_debugging:
            raise
        return explain(error)
    return code if isinstance(code, int) else 0


def explain(error: Exception) -> int:
    """Say in one line what went wrong and return the exit code; a bug's traceback goes to a log."""
    from api._commands.errors import CliError, report
    from api._stack.errors import StackError
    from models.errors import ModelError

    if isinstance(error, CliError):
        return report(error)
    if isinstance(error, StackError | ModelError):
        return _complain(str(error), 1)
    from api._stack.settings import REPOSITORY

    log = REPOSITORY / ".rowcast" / "logs" / "cli.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return _complain(f"{type(error).__name__}: {error} (a bug of ours; all of it: {log})", 1)


def _complain(message: str, code: int) -> int:
    print(f"rowcast: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
