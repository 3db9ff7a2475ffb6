"""`rowcast deploy`: asks what a first deployment must know, tries each answer, and does the rest."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from api._commands.deploy import answers, plan, programs
from api._commands.deploy.probes import Refused, probe
from api._commands.deploy.questions import NAMES, QUESTIONS, Question, judge, tidy
from api._commands.doctor.subject import Away
from api._commands.errors import CliError
from api._stack.settings import REPOSITORY

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; ask, write and run nothing.")]
Check = Annotated[bool, typer.Option("--check", help="Only try what is answered; exit code 1 if anything is missing.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Ask nothing: answers from file and environment, then run it all.")
]
Again = Annotated[bool, typer.Option("--again", help="Also what was done before with the same answers.")]
NoProbe = Annotated[bool, typer.Option("--probe/--no-probe", help="Try each answer where it is good for.")]


def setup(
    *, dry_run: DryRun = False, check: Check = False, yes: Yes = False, again: Again = False, with_probe: NoProbe = True
) -> int:
    """Walk through a first deployment: Supabase, Upstash, Vercel, GitHub, the dashboard.

    Each answer is tried where it is good for and kept in .rowcast/deploy.env, which only you can read and git ignores.
    Run it as often as you like: what is answered is not asked again, what is done is not done again.
    """
    values = answers.read(os.environ, NAMES)
    path = answers.find_file(os.environ)
    tries: Callable[[str, Mapping[str, str]], bool] = probe if with_probe else lambda *_: False
    is_asking = is_watched() and not (yes or check or dry_run)
    if is_asking:
        _ask_all(values, path, tries)
    faults = _review(values, tries if (check or not is_asking) and not dry_run else lambda *_: False)
    if dry_run and faults:
        print("\nStill to be answered; shown with placeholders:")
        values = {question.name: f"<{question.title}>" for question in QUESTIONS if question.is_needed} | values
    elif faults:
        raise CliError("not all is answered", faults)
    if check:
        print("All is answered.")
        return 0
    return _carry_out(values, path, is_dry=dry_run, is_asking=is_asking, is_again=again)


def is_watched() -> bool:
    """Tell whether somebody is there to answer."""
    return sys.stdin.isatty()


def _ask_all(values: dict[str, str], path: Path, tries: Callable[[str, Mapping[str, str]], bool]) -> None:
    group = ""
    for question in QUESTIONS:
        if question.group != group:
            group = question.group
            typer.secho(f"\n{group}", bold=True)
        if values.get(question.name) and not judge(question, values[question.name]):
            print(f"  {question.title}: {_show(question, values[question.name])}")
            continue
        if question.name == "KV_REST_API_TOKEN" and not values.get("KV_REST_API_URL"):
            continue
        if answer := _ask(question, values, tries):
            values[question.name] = answer
            answers.write(path, values)


def _ask(question: Question, values: Mapping[str, str], tries: Callable[[str, Mapping[str, str]], bool]) -> str:
    """Ask until the answer is good, or is taken as it is because nobody can tell."""
    suggestion = question.suggest(values)
    print(f"  {question.title} ({question.name})\n    {question.where}")
    while True:
        optional = "" if question.is_needed else " (Enter: without)"
        offered = _show(question, suggestion) if suggestion else ""
        prompt = f"    {question.title}{optional}" + (f" [{offered}]" if offered else "")
        text = typer.prompt(prompt, default="", show_default=False, hide_input=question.is_secret)
        answer = tidy(question, text) or suggestion
        if not answer:
            if not question.is_needed:
                return ""
            continue
        if wrong := judge(question, answer):
            print(f"    {wrong}")
            continue
        try:
            if tries(question.name, {**values, question.name: answer}):
                print("    tried: good")
        except Refused as refused:
            print(f"    {refused}")
            suggestion = ""
            continue
        except Away as away:
            if not typer.confirm(f"    {away}: it cannot be tried now. Go on with it?", default=True):
                continue
        return answer


def _review(values: Mapping[str, str], tries: Callable[[str, Mapping[str, str]], bool]) -> list[str]:
    """Look at all answers and return what is wrong, one line each."""
    faults = []
    for question in QUESTIONS:
        answer = values.get(question.name, "")
        if not answer:
            if question.is_needed:
                faults.append(f"{question.name}: {question.where}")
            continue
        if wrong := judge(question, answer):
            faults.append(f"{question.name}: {wrong}")
            continue
        try:
            tries(question.name, values)
        except Refused as refused:
            faults.append(f"{question.name}: {refused}")
        except Away as away:
            print(f"  {question.name} could not be tried: {away}")
    if bool(values.get("KV_REST_API_URL")) != bool(values.get("KV_REST_API_TOKEN")):
        faults.append("KV_REST_API_URL and KV_REST_API_TOKEN belong together: one of them is missing")
    return faults


def _carry_out(values: dict[str, str], path: Path, *, is_dry: bool, is_asking: bool, is_again: bool) -> int:
    done = set() if is_again else set(values.get(answers.DONE, "").split())
    for number, step in enumerate(plan.compose(values), start=1):
        mark = step.mark(values)
        typer.secho(f"\n{number}. {step.title}" + (" (done)" if mark in done else ""), bold=True)
        if mark in done:
            continue
        for line in (*step.by_hand, *(command.shown for command in step.commands)):
            print(f"   {line}")
        if is_dry:
            continue
        if step.commands and (not is_asking or typer.confirm("   Run it now?", default=True)):
            for command in step.commands:
                _run(command, values)
        elif step.commands or (is_asking and not typer.confirm("   Done?", default=True)) or not is_asking:
            continue  # by hand, or later: it is shown again the next time
        done.add(mark)
        values[answers.DONE] = " ".join(sorted(done))
        answers.write(path, values)
    return 0


def _run(command: plan.Command, values: Mapping[str, str]) -> None:
    environ = {name: values[name] for name in command.names if values.get(name)}
    environ["PYTHONPATH"] = str(REPOSITORY)
    said = programs.run(
        [*command.program(), *command.words], environ=environ, seconds=command.seconds, text=command.text
    )
    if said.strip():
        print("\n".join(f"   {line}" for line in said.strip().splitlines()))


def _show(question: Question, answer: str) -> str:
    """Show an answer, of a secret nothing but that it is there."""
    return "made or kept, not shown" if question.is_secret else answer
