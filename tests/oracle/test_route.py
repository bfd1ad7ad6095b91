# SPDX-License-Identifier: Apache-2.0
"""route, against a CASE (the first match) and against as many WHEREs (all of them)."""

from oracle import cases, same

COLUMNS = {"seq": "BIGINT", "a": "BIGINT", "b": "DOUBLE", "t": "VARCHAR"}
TEXTS = ["DE", "FR", "", "US"]
PER_RUN = 40


def make_rows(rng, n):
    def maybe(value):
        return None if rng.random() < 0.25 else value

    return [
        {"seq": seq, "a": maybe(rng.randint(-3, 3)), "b": maybe(rng.choice([-1.5, 0.0, 2.0])), "t": maybe(rng.choice(TEXTS))}
        for seq in range(n)
    ]


def condition(rng):
    """As (leat, SQL)."""
    sign = rng.choice(["=", "!=", "<", "<=", ">", ">="])
    simple = [
        (f"a {sign} {rng.randint(-2, 2)}",) * 2,
        (f"b {sign} a",) * 2,
        (f"t {sign} '{rng.choice(TEXTS)}'",) * 2,
        ("t in ['DE', 'FR']", "t in ('DE', 'FR')"),
        ("a is null",) * 2,
    ]
    one, other = rng.choice(simple), rng.choice(simple)
    return rng.choice([one, tuple(f"({x}) and ({y})" for x, y in zip(one, other)), tuple(f"not ({x})" for x in one)])


def test_a_route_sends_rows_where_a_case_does(oracle):
    drawn = [[condition(rng) for _ in range(rng.randint(1, 5))] for _, rng in cases(200, "route")]
    oracle.table("events", COLUMNS, make_rows(cases(1, "rows")[0][1], 120))
    for start in range(0, len(drawn), PER_RUN):
        some = drawn[start : start + PER_RUN]
        operators, outputs = {}, []
        for i, conditions in enumerate(some):
            ports = {f"p{j}": leat for j, (leat, _) in enumerate(conditions)}
            for match in ("first", "all"):
                operators[f"{match}{i}"] = {"type": "route", "input": "events", "match": match, "ports": ports}
                outputs += [f"{match}{i}.{port}" for port in [*ports, "other"]]
        got = oracle.run(operators, outputs)
        for i, conditions in enumerate(some):
            sqls = [sql for _, sql in conditions]
            case = "case " + " ".join(f"when {sql} then 'p{j}'" for j, sql in enumerate(sqls)) + " else 'other' end"
            for j, sql in enumerate(sqls):
                same(got[f"first{i}.p{j}"], oracle.query(f"select seq from events where {case} = 'p{j}'"), ["seq"])
                same(got[f"all{i}.p{j}"], oracle.query(f"select seq from events where {sql}"), ["seq"])
            for match in ("first", "all"):
                same(got[f"{match}{i}.other"], oracle.query(f"select seq from events where {case} = 'other'"), ["seq"])
