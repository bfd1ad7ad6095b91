# SPDX-License-Identifier: Apache-2.0
"""The expression language against SQL's: random conditions over random rows with nulls, one pipeline for many of them."""

from oracle import cases, same

COLUMNS = {"seq": "BIGINT", "a": "BIGINT", "b": "BIGINT", "r": "DOUBLE", "t": "VARCHAR", "u": "VARCHAR", "yes": "BOOLEAN"}
TEXTS = ["", "a", "ab", "abc", "b", "Ba", "über", "x_y", "50%"]
PER_RUN = 40


def make_rows(rng, n):
    def maybe(value):
        return None if rng.random() < 0.2 else value

    return [
        {
            "seq": seq,
            "a": maybe(rng.randint(-4, 4)),
            "b": maybe(rng.choice([0, 1, 7, 2**53 + 1, -(2**53) - 1])),
            "r": maybe(rng.choice([0.0, -0.5, 1.0, 2.5, 4.0])),
            "t": maybe(rng.choice(TEXTS)),
            "u": maybe(rng.choice(TEXTS)),
            "yes": maybe(rng.random() < 0.5),
        }
        for seq in range(n)
    ]


def number(rng, depth):
    """An expression with a number, as (leat, SQL). Small enough never to overflow."""
    if depth == 0 or rng.random() < 0.4:
        leaf = rng.choice(["a", "r", "3", "-1", "0.25"])
        return leaf, leaf
    left, right = number(rng, depth - 1), number(rng, depth - 1)
    kind = rng.randrange(6)
    if kind < 3:
        return tuple(f"({x} {'+-*'[kind]} {y})" for x, y in zip(left, right))
    if kind == 3:
        return f"abs({left[0]})", f"abs({left[1]})"
    if kind == 4:
        return f"coalesce({left[0]}, {right[0]})", f"coalesce({left[1]}, {right[1]})"
    condition_ = condition(rng, depth - 1)
    return f"if({condition_[0]}, {left[0]}, {right[0]})", f"case when {condition_[1]} then {left[1]} else {right[1]} end"


def text(rng):
    return rng.choice(["t", "u", "'ab'", "''", "lower(t)", "(t + u)", "trim(u)"])


def sql_text(expression):
    return expression.replace("(t + u)", "(t || u)")


def condition(rng, depth):
    """An expression that is true, false or null, as (leat, SQL)."""
    kind = rng.randrange(9 if depth > 0 else 6)
    if kind == 0:
        left, right, sign = number(rng, depth), number(rng, depth), rng.choice(["=", "!=", "<", "<=", ">", ">="])
        return tuple(f"{x} {sign} {y}" for x, y in zip(left, right))
    if kind == 1:
        left, right, sign = text(rng), text(rng), rng.choice(["=", "<>", "<", "<=", ">", ">="])
        return f"{left} {sign} {right}", f"{sql_text(left)} {sign} {sql_text(right)}"
    if kind == 2:
        pattern, word = rng.choice(["a%", "%b", "_", "%", "_b_", "x\\_y", "ü%"]), rng.choice(["like", "not like"])
        return f"t {word} '{pattern}'", f"t {word} '{pattern}' escape '\\'"
    if kind == 3:
        field, word = rng.choice(["a", "b", "r", "t", "yes"]), rng.choice(["is null", "is not null"])
        return (f"{field} {word}",) * 2
    if kind == 4:
        word = rng.choice(["in", "not in"])
        items = ", ".join(rng.sample(["1", "-1", "2.5", "null", "9007199254740993", "0"], rng.randint(1, 4)))
        field = rng.choice(["a", "b"])
        return f"{field} {word} [{items}]", f"{field} {word} ({items})"
    if kind == 5:
        return "yes", "yes"
    if kind == 6:
        inner = condition(rng, depth - 1)
        return tuple(f"not ({x})" for x in inner)
    left, right, word = condition(rng, depth - 1), condition(rng, depth - 1), rng.choice(["and", "or"])
    return tuple(f"({x}) {word} ({y})" for x, y in zip(left, right))


def test_a_filter_lets_through_what_a_where_does(oracle):
    drawn = [condition(rng, 3) for _, rng in cases(400, "where")]
    oracle.table("events", COLUMNS, make_rows(cases(1, "rows")[0][1], 300))
    for start in range(0, len(drawn), PER_RUN):
        some = drawn[start : start + PER_RUN]
        operators = {f"f{i}": {"type": "filter", "input": "events", "where": leat} for i, (leat, _) in enumerate(some)}
        got = oracle.run(operators, list(operators) + [f"{name}.other" for name in operators] + [f"{name}.dead" for name in operators])
        for i, (leat, sql) in enumerate(some):
            try:
                assert got[f"f{i}.dead"] == []
                same(got[f"f{i}"], oracle.query(f"select seq from events where {sql}"), ["seq"])
                same(got[f"f{i}.other"], oracle.query(f"select seq from events where ({sql}) is not true"), ["seq"])
            except AssertionError as difference:
                raise AssertionError(f"where: {leat}\nSQL:   {sql}\n{difference}") from None


def test_a_map_computes_what_a_select_does(oracle):
    drawn = [number(rng, 4) for _, rng in cases(400, "set")]
    oracle.table("events", COLUMNS, make_rows(cases(1, "rows")[0][1], 300))
    fields = {f"x{i}": leat for i, (leat, _) in enumerate(drawn)}
    got = oracle.run({"all": {"type": "map", "input": "events", "set": fields}}, ["all", "all.dead"])
    assert got["all.dead"] == []
    expected = oracle.query("select seq, " + ", ".join(f"{sql}::double as x{i}" for i, (_, sql) in enumerate(drawn)) + " from events")
    for i, (leat, sql) in enumerate(drawn):
        try:
            same(got["all"], expected, ["seq", f"x{i}"])
        except AssertionError as difference:
            raise AssertionError(f"set: {leat}\nSQL: {sql}\n{difference}") from None
