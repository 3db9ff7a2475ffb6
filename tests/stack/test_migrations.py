"""How the database comes to what the repository describes, and stays what the migrations say."""

from importlib.metadata import version
from pathlib import Path

import pytest
from procrastinate.schema import SchemaManager

from api._stack import database, migrations, secrets
from api._stack.errors import MigrationFailed

pytestmark = pytest.mark.stack

RECORDED = "select version, statements, name from supabase_migrations.schema_migrations order by version"


@pytest.fixture
def connection(stack):
    with stack.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def folder(connection, monkeypatch, tmp_path):
    """Let migrations be read from a folder of this test, and forget afterwards what it recorded."""
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    monkeypatch.setattr(migrations, "SEED", tmp_path / "seeds" / "seed.sql")
    monkeypatch.setattr(migrations, "REPOSITORY", tmp_path)
    yield tmp_path
    connection.execute("delete from supabase_migrations.schema_migrations where version like '9%'")
    connection.execute("delete from supabase_migrations.seed_files where path = 'seeds/seed.sql'")
    connection.execute("drop schema if exists b_test cascade")


def test_every_migration_is_applied_once_and_recorded_as_the_supabase_cli_does(stack, connection):
    """A database migrated here and one migrated by `supabase db push` cannot be told apart."""
    files = sorted(migrations.MIGRATIONS.glob("*.sql"))
    said: list[str] = []

    again = migrations.apply(connection, said.append)

    recorded = connection.execute(RECORDED).fetchall()
    assert again == 0
    assert said == []
    assert [f"{version}_{name}.sql" for version, _, name in recorded] == [path.name for path in files]
    assert [statements for _, statements, _ in recorded] == [[path.read_text()] for path in files]


def test_a_new_migration_is_applied_by_the_next_start(connection, folder):
    (folder / "90000101000000_first.sql").write_text("create schema b_test; create table b_test.things (id int);")
    (folder / "90000101000001_second.sql").write_text(
        "set role anon; reset role; insert into b_test.things values (1);"
    )
    migrations.SEED.parent.mkdir()
    migrations.SEED.write_text("insert into b_test.things values (2);")

    first, second = migrations.apply(connection, print), migrations.apply(connection, print)

    assert (first, second) == (3, 0)
    assert connection.execute("select id from b_test.things order by id").fetchall() == [(1,), (2,)]


def test_a_refused_migration_is_undone_and_named(connection, folder):
    """Nothing of a broken file is kept, those before it are, and the next start tries again."""
    (folder / "90000101000000_good.sql").write_text("create schema b_test;")
    (folder / "90000101000001_broken.sql").write_text("create table b_test.half (id int); select nonsense;")

    with pytest.raises(MigrationFailed, match=r'90000101000001_broken\.sql was refused and undone: .*"nonsense"'):
        migrations.apply(connection, print)

    assert connection.execute("select to_regclass('b_test.half')").fetchone() == (None,)
    assert connection.execute("select to_regnamespace('b_test') is not null").fetchone() == (True,)


def test_a_changed_migration_is_pointed_out(connection, folder):
    """What was applied cannot be edited into effect; the person hears it instead of wondering."""
    path = folder / "90000101000000_good.sql"
    path.write_text("create schema b_test;")
    migrations.apply(connection, print)
    path.write_text("create schema b_test; create table b_test.late (id int);")
    said: list[str] = []

    applied = migrations.apply(connection, said.append)

    assert applied == 0
    assert said == [f"{path.name} has changed since it was applied; write a new migration, or start afresh with reset"]


def test_the_queue_is_upgraded_from_the_version_it_was_made_with(stack):
    """Every version that procrastinate has ever had becomes the installed one, by its own migrations."""
    describe = (
        "select relname from pg_class where relnamespace = 'procrastinate'::regnamespace union "
        "select proname || pg_get_function_identity_arguments(oid) from pg_proc "
        "where pronamespace = 'procrastinate'::regnamespace order by 1"
    )
    first = next(Path(SchemaManager.get_migrations_path()).glob("00.00.00_01_*.sql")).read_text()
    with stack.connect() as connection:
        fresh = connection.execute(describe).fetchall()
        connection.execute("drop schema procrastinate cascade; create schema procrastinate")
        connection.execute("comment on schema procrastinate is '0.0.0'; set local search_path to procrastinate")
        connection.execute(first)

        migrations._apply_queue_schema(connection)

        upgraded = connection.execute(describe).fetchall()
        recorded = connection.execute("select obj_description('procrastinate'::regnamespace)").fetchone()
        connection.rollback()
    assert recorded == (version("procrastinate"),)
    assert set(fresh) <= set(upgraded)


def test_supabases_doors_cannot_hand_out_more_than_the_migrations_grant(stack, connection):
    """The doors' broad grants at their start are refused: every grant on our tables comes from our migrations."""
    grantors = connection.execute(
        "select distinct grantor from information_schema.role_table_grants where table_schema in ('public', 'private')"
    ).fetchall()
    login = connection.execute(
        "select rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = 'supabase_lite'"
    ).fetchone()

    assert grantors == [("postgres",)]
    assert login == (False, False, False)


def test_the_database_wants_a_password_and_listens_on_loopback_only(stack, connection):
    """No trust for anybody, no socket file, no other interface."""
    url = secrets.environ(stack.settings, secrets.load(stack.settings))["DATABASE_URL"]
    settings = dict(
        connection.execute(
            "select name, setting from pg_settings where name in ('listen_addresses', 'unix_socket_directories')"
        ).fetchall()
    )
    rules = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()

    assert database.is_answering(url)
    assert not database.is_answering(url.replace(secrets.load(stack.settings).database_password, "postgres"))
    assert settings == {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    assert rules == [("scram-sha-256",)]
