"""Small texts that unfold into what no machine can hold: each has to be refused, or carried out, in a second or so."""

from __future__ import annotations


def _doubled(first: str, each: str, last: str, count: int = 70) -> str:
    return first + "".join(each.format(k=k, j=k - 1) for k in range(1, count)) + last.format(k=count - 1)


def _chained(first: str, each: str, last: str) -> str:
    return _doubled(first, each, last, 3000)


_W = "shared u64 x = 1; "
_ARRAY = "[int(0..255)][int(0..255)][int(0..255)]"

# By name: the text, and the code that it is refused with (None: it is carried out).
BOMBS: dict[str, tuple[str, str | None]] = {
    "an index": ("index i[99999999999999999999];", "E0510"),
    "a range that is ranged over": ("claim c: forall v in int(0..999999999). v >= 0;", "E0510"),
    "a range for each": ("thread t { for each v in int(0..999999999) { step s {} } }", "E0510"),
    "a set": ("shared set<int(0..1000000)> s = {};", "E0510"),
    "a range that is stored": ("shared int(0..99999999999999999999) n = 0; rule r { n += 1; }", None),
    "an array": (f"shared bool x{_ARRAY};", "E0510"),
    "an array in a struct": (f"struct S {{ bool f{_ARRAY}; }} shared S s;", "E0510"),
    "a local array": (f"thread t {{ bool f{_ARRAY}; step s {{}} }}", "E0510"),
    "a temporary array": (f"thread t {{ step s {{ bool f{_ARRAY}; }} }}", "E0510"),
    "arrays of instances": ("index i[256]; type T { shared bool x[i]; } T a[i][i];", "E0510"),
    "many arrays": (
        "index i[256]; " + "".join(f"shared bool x{k}[i][i]; " for k in range(100)),
        "E0510",
    ),
    "an enum": (f"enum E {{ {', '.join(f'A{k}' for k in range(100_000))} }}", "E0504"),
    "parameters": ("".join(f"param P{k} = 1 in 1..200; " for k in range(3000)), "E0510"),
    "rows of sizes": ("param P = 1 in 1..9; sizes { " + "P = 1; " * 50_000 + "}", "E0504"),
    "constants": (_doubled("const C0 = 9999999; ", "const C{k} = C{j} * C{j}; ", ""), "E0510"),
    "a number": (f"const c = {'9' * 100_000};", "E0505"),
    "threads": ("".join(f"thread t{k} {{ step s {{}} }} " for k in range(3000)), "E0510"),
    "steps": (f"thread t {{ {' '.join(f'step s{k} {{}}' for k in range(20_000))} }}", "E0504"),
    "functions that double": (
        _doubled(f"{_W}fn f0() -> u64 = x; ", "fn f{k}() -> u64 = f{j}() + f{j}(); ", "claim c: f{k}() > 0;"),
        "E0511",
    ),
    "ops that double": (
        _doubled(f"{_W}op f0() {{ x += 1; }} ", "op f{k}() {{ f{j}(); f{j}(); }} ", "rule r {{ f{k}(); }}"),
        "E0511",
    ),
    "procedures that double": (
        _doubled(
            "proc f0() { step s {} } ", "proc f{k}() {{ a: f{j}(); b: f{j}(); }} ", "thread t {{ f{k}(); }}"
        ),
        "E0511",
    ),
    "structs that double": (
        _doubled("struct S0 { bool x; } ", "struct S{k} {{ S{j} a; S{j} b; }} ", "shared S{k} s;"),
        "E0510",
    ),
    "types that double": (
        _doubled("type T0 { shared bool x; } ", "type T{k} {{ T{j} a; T{j} b; }} ", "T{k} t;"),
        "E0407",
    ),
    "a chain of functions": (
        _chained("fn f0(bool x) -> bool = x; ", "fn f{k}(bool x) -> bool = f{j}(!x); ", "claim c: f{k}(true);"),
        "E0511",
    ),
    "a chain of ops": (
        _chained(f"{_W}op f0() {{ x = 1; }} ", "op f{k}() {{ f{j}(); }} ", "rule r {{ f{k}(); }}"),
        "E0511",
    ),
    "a chain of procedures": (
        _chained("proc f0() { step s {} } ", "proc f{k}() {{ f{j}(); }} ", "thread t {{ f{k}(); }}"),
        "E0511",
    ),
    "words that double": (f"{_W}rule r {{ {'x = x + x; ' * 3000}}}", "E0511"),
    "ranges that double": (f"shared int(0..3) n = 1; rule r {{ {'n = (n + n) % 4; ' * 2000}}}", "E0511"),
    "branches between steps": (
        "thread t { " + " ".join(f"bool a{k};" for k in range(60)) + " step s {} "
        + "".join(f"if (a{k}) {{ a{(k + 1) % 60} = !a{k}; }} " for k in range(60)) + "step e {} }",
        "E0511",
    ),
    "very many branches between steps": (
        "thread t { " + "".join(f"bool a{k}; " for k in range(900)) + "step s {} "
        + "".join(f"if (a{k}) {{ a0 = !a0; }} " for k in range(900)) + "step e {} }",
        "E0511",
    ),
    "empty choices": ("thread t { step s {} " + "choose { or } " * 60 + "step e {} }", "E0511"),
    "very many empty choices": ("thread t { step s {} " + "choose { or } " * 1500 + "step e {} }", "E0511"),
    "choices with code": ("thread t { bool x; " + "choose { x = true; or } " * 60 + "step e {} }", "E0511"),
    "steps that may be left out": (
        "thread t { " + "".join(f"maybe {{ step m{k} {{}} }} " for k in range(400)) + "}",
        "E0511",
    ),
    "parentheses": (f"claim c: {'(' * 20_000}true{')' * 20_000};", "E0502"),
    "signs": (f"claim c: {'!' * 20_000}true;", "E0503"),
    "a conjunction": (f"shared bool b; claim c: {' && '.join(['b'] * 50_000)};", "E0504"),
    "implications": (f"shared bool b; claim c: {' -> '.join(['b'] * 20_000)};", "E0503"),
    "blocks": (f"thread t {{ {'loop { ' * 5000}step s {{}} {'}' * 5000} }}", "E0502"),
    "else if": (f"shared bool b; rule r {{ {'if (b) {} else ' * 5000}if (b) {{}} }}", "E0502"),
    "quantifiers": (
        "claim c: " + "".join(f"forall v{k} in int(0..255). " for k in range(60)) + "true;",
        None,
    ),
    "a name": (f"shared bool {'a' * 900_000};", None),
    "a comment that does not end": ("/*" + "*" * 300_000, "E0103"),
}  # fmt: skip
