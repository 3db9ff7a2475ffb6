"""Where the trials of a search are planned: in memory for one worker, in a shared database for several.

The worker that leads tries the plain recipes, says which are worth tuning and when the search is over; the others add trials
in between. What they must know of each other stands in the study: no other way leads from worker to worker.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from models.training.options import Study as Address
from models.training.recipes import Parameters
from models.training.trial import Trial

_STARTUP_TRIALS = 8
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.5
_MAKING_ATTEMPTS = 3
_LOOK_SECONDS = 1.0
_HOPEFUL, _BEST, _SCALE, _CLOSED = "hopeful", "best_losses", "scale", "closed"
_RECIPE, _PARAMETERS, _LOSSES, _SECONDS, _WORKER = "recipe", "parameters", "losses", "seconds", "worker"


class SharedStudy:
    """A study and this worker's place in it."""

    def __init__(self, study: optuna.Study, storage: "_Storage | None") -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._study = study
        self._storage = storage
        self._is_shared = storage is not None
        self._seen: set[int] = set()
        self._looked = 0.0

    @classmethod
    def lead(cls, address: Address | None, seed: int) -> "SharedStudy":
        """Open a study to lead; one that an earlier attempt left behind is begun anew."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if address is None:
            return cls(optuna.create_study(sampler=_sampler(seed)), None)
        storage = _made_storage(address)
        try:
            if address.name in optuna.get_all_study_names(storage):
                optuna.delete_study(study_name=address.name, storage=storage)
            study = optuna.create_study(storage=storage, study_name=address.name, sampler=_sampler(seed))
        except BaseException:
            storage.close()
            raise
        return cls(study, storage)

    @classmethod
    def join(cls, address: Address, seed: int, check: Callable[[], None]) -> "SharedStudy | None":
        """Join a study once its leader says what to try; None if that does not happen within a minute."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            check()
            joined = cls._found(address, seed)
            if joined is not None:
                return joined
            time.sleep(_POLL_SECONDS)
        return None

    @classmethod
    def _found(cls, address: Address, seed: int) -> "SharedStudy | None":
        """Open a study whose leader says what to try; None if it does not yet, or the database is not there yet."""
        storage, joined = None, None
        try:
            storage = _Storage(address, is_made=True)
            found = cls(optuna.load_study(study_name=address.name, storage=storage, sampler=_sampler(seed)), storage)
            if found.is_closed or found.is_announced:
                joined = found
        except (KeyError, SQLAlchemyError, optuna.exceptions.StorageInternalError):
            pass  # it is asked again
        finally:
            if storage is not None and joined is None:
                storage.close()
        return joined

    def leave(self) -> None:
        """Give the database its connections back."""
        if self._storage is not None:
            self._storage.close()

    @property
    def is_announced(self) -> bool:
        """Tell whether the leader has said what to try."""
        return _HOPEFUL in self._study.user_attrs

    @property
    def hopeful(self) -> list[str]:
        """The recipes worth tuning, by the leader."""
        return list(self._study.user_attrs[_HOPEFUL])

    @property
    def is_closed(self) -> bool:
        """Tell whether the leader has ended the search."""
        return bool(self._study.user_attrs.get(_CLOSED))

    @property
    def best_losses(self) -> list[float]:
        """The losses of the best trial so far, by the leader."""
        return list(self._study.user_attrs.get(_BEST, []))

    @property
    def scale(self) -> tuple[int, int]:
        """On how many rows and folds to compare, by the leader."""
        rows, folds = self._study.user_attrs[_SCALE]
        return int(rows), int(folds)

    def announce(self, hopeful: list[str], best_losses: list[float], scale: tuple[int, int]) -> None:
        """Say what is worth tuning, what is to be beaten, and on how many rows and folds."""
        if self._is_shared:
            self._study.set_user_attr(_BEST, best_losses)
            self._study.set_user_attr(_SCALE, scale)
            if _HOPEFUL not in self._study.user_attrs:
                self._study.set_user_attr(_HOPEFUL, hopeful)

    def close(self) -> None:
        """End the search for everybody."""
        if self._is_shared:
            self._study.set_user_attr(_CLOSED, True)

    def suggest(self, parameters: Mapping[str, Any]) -> None:
        """Have a trial planned with some parameters given."""
        self._study.enqueue_trial(dict(parameters))

    def ask(self) -> optuna.Trial:
        """Plan a trial."""
        return self._study.ask()

    def tell(self, asked: optuna.Trial, trial: Trial | None) -> None:
        """Record how a trial went; None for one that was not begun."""
        if trial is None:
            self._study.tell(asked, state=TrialState.FAIL)
            return
        if self._is_shared:
            facts: dict[str, Any] = {
                _RECIPE: trial.recipe,
                _PARAMETERS: trial.parameters,
                _LOSSES: trial.losses,
                _SECONDS: trial.seconds,
                _WORKER: self.worker,
            }
            for name, fact in facts.items():
                asked.set_user_attr(name, fact)
        if trial.complete:
            self._study.tell(asked, trial.loss)
        else:
            self._study.tell(asked, state=TrialState.PRUNED)

    def others(self, *, now: bool = False) -> Iterator[tuple[str, Trial]]:
        """Give the trials that other workers completed since the last look, with the worker; looks once a second."""
        if not self._is_shared or (not now and time.monotonic() - self._looked < _LOOK_SECONDS):
            return
        self._looked = time.monotonic()
        for found in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            attributes = found.user_attrs
            if found.number in self._seen or attributes.get(_WORKER) in {None, self.worker}:
                continue
            self._seen.add(found.number)
            parameters: Parameters = dict(attributes[_PARAMETERS])
            trial = Trial(
                attributes[_RECIPE], parameters, list(attributes[_LOSSES]), attributes[_SECONDS], complete=True
            )
            yield attributes[_WORKER], trial


class _Storage(RDBStorage):
    """A storage that keeps no connection when it cannot be opened, nor when it is closed."""

    def __init__(self, address: Address, *, is_made: bool = False) -> None:
        """Open a storage; only the leader makes its tables, so that two never do at once."""
        options = {"pool_size": 2, "pool_pre_ping": True}
        try:
            super().__init__(address.storage, engine_kwargs=options, skip_table_creation=is_made)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the database its connections back."""
        if hasattr(self, "scoped_session"):  # an address that cannot be read comes to none
            self.remove_session()
            self.engine.dispose()


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP_TRIALS)


def _made_storage(address: Address) -> "_Storage":
    """Open a storage and make its tables; one that looks for them at that very moment may make one of them first."""
    for _ in range(_MAKING_ATTEMPTS):
        with suppress(ProgrammingError, IntegrityError):
            return _Storage(address)
        time.sleep(_POLL_SECONDS)
    return _Storage(address)
