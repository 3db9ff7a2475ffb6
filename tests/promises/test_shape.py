"""The code base stays readable: short modules, short functions, names that say what is inside."""

from tests.promises.sources import modules, tracked

MAX_MODULE_LINES = 250
MAX_FUNCTION_LINES = 40
_VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
_PRODUCT = ("api", "models", "web")


def test_modules_are_short():
    """A module that outgrows its budget holds more than one thing."""
    assert {m.name: m.lines for m in modules(*_PRODUCT, "tests") if m.lines > MAX_MODULE_LINES} == {}


def test_functions_are_short():
    """A function that outgrows its budget does more than one thing; its docstring does not count."""
    long = {
        f"{module.name}.{function.name}": length
        for module in modules(*_PRODUCT)
        for function in module.functions()
        if (length := _length(function)) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_no_module_has_a_vague_name():
    """`utils` is where things go that nobody finds again."""
    assert [m.name for m in modules(*_PRODUCT, "tests") if m.path.stem in _VAGUE] == []


def test_modules_say_what_they_are_for():
    """Every module of the product opens with a docstring; a package without code needs none."""
    import ast

    assert [m.name for m in modules(*_PRODUCT) if m.lines and not ast.get_docstring(m.tree)] == []


def test_site_modules_are_short():
    """The same budget holds for TypeScript and Svelte."""
    long = {}
    for path in tracked("web/src/*.ts", "web/src/*.svelte"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if len(lines) > MAX_MODULE_LINES and path.name != "api-types.ts":
            long[path.name] = len(lines)
    assert long == {}


def _length(function) -> int:
    first = function.body[0]
    doc = getattr(first, "value", None)
    is_doc = isinstance(getattr(doc, "value", None), str)
    documented = first.end_lineno - first.lineno + 1 if is_doc else 0
    return function.end_lineno - function.lineno + 1 - documented
