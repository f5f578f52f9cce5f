#!/usr/bin/env python3
"""Checks the books without stempoint: DuckDB over the open Delta tables.

    pip install duckdb deltalake pyarrow
    python docs/sql/audit.py DIR/lake
    python docs/sql/audit.py DIR/lake "SELECT * FROM audit_unrated"

Prints one line per view that has a `difference` and the rows in which it is
not 0; exit code 3 if there are any. With a query it prints its rows as JSON.
"""

import datetime
import decimal
import json
import os
import pathlib
import sys

import duckdb
from deltalake import DeltaTable

CHECKS = ["audit_conservation", "audit_sides", "audit_records", "audit_entries"]
# `commits` is opened first: what it shows is in the tables that are opened after it.
TABLES = (
    "commits api_calls gpu_usage heartbeats rejects duplicates control charges journal prices charge_models price_customers owner_shares"
    " periods terms currencies invoices payments grants allocations commitments true_ups budgets alerts corrections"
    " statements disputes"
).split()
ROWS_SHOWN = 10


def books(lake):
    """A connection that has the views of this folder over the tables of a lake."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        connection.register(f"raw_{table}", DeltaTable(f"{lake}/{table}").to_pyarrow_dataset())
    for script in sorted(pathlib.Path(__file__).parent.glob("*.sql")):
        connection.execute(script.read_text())
    return connection


def rows(result):
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def text(value):
    """As `stempoint sql --format json` writes it: decimals and times are texts."""
    if isinstance(value, decimal.Decimal):
        whole = format(value, "f")
        return whole.rstrip("0").rstrip(".") if "." in whole else whole
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return value


def audit(connection):
    """How many rows have a difference."""
    found = 0
    for view in CHECKS:
        total = connection.execute(f"SELECT count(*) FROM {view}").fetchone()[0]
        wrong = rows(connection.execute(f"SELECT * FROM {view} WHERE difference <> 0"))
        found += len(wrong)
        print(f"{'FAILED' if wrong else 'ok    '} {view:<19} {total} rows, {len(wrong)} with a difference")
        for row in wrong[:ROWS_SHOWN]:
            print("        ", json.dumps(row, default=text))
    return found


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 2
    connection = books(sys.argv[1])
    if len(sys.argv) == 3:
        print(json.dumps(rows(connection.execute(sys.argv[2])), default=text))
        return 0
    return 3 if audit(connection) else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The reader's threads can abort the interpreter while it shuts down, after all is said.
    os._exit(code)
