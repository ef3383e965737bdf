"""Asks the lake of `cargo bench --bench answers` for its needles, with ashiato and with DuckDB on the same files.

python benches/peers/duckdb_answers.py FOLDER [--ashiato target/release/ashiato] [--key K] [--ip A] [--bucket B]

Each question is asked cold, as far as the machine lets: with leave to, the page cache is dropped before each. DuckDB gets
the Parquet files of CloudTrail's tables and nothing else; ashiato its catalog and what it derived. Wall times of one run,
one after the other; what ashiato opened is what `--stats` says. Needs the `duckdb` package.
"""

import argparse
import json
import pathlib
import subprocess
import time

import duckdb

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--ashiato", default="target/release/ashiato")
parser.add_argument("--key", default="AKIAIOSFODNN7PIPE001")
parser.add_argument("--ip", default="192.0.2.146")
parser.add_argument("--bucket", default="team-customer-exports")
parser.add_argument(
    "--finding", default="arn:aws:securityhub:us-east-1:100000000007:security-control/S3.8/finding/needle"
)
args = parser.parse_args()
lake = f"{args.folder}/lake"

COLUMNS = "count(*), min(time), max(time)"
QUESTIONS = [
    ("a key's whole life", "actor.user.credential_uid = $needle", args.key),
    ("an address in all accounts", "src_endpoint.ip = $needle", args.ip),
    (
        "who changed a bucket",
        "api.service.name = 's3.amazonaws.com' and strpos(api.request.data, $needle) > 0 and status = 'Success'"
        " and unmapped['readOnly'] = 'false'",
        args.bucket,
    ),
]


def drop_caches():
    try:
        subprocess.run(["sync"], check=True)
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        pass


def timed(work):
    drop_caches()
    began = time.monotonic()
    answer = work()
    return time.monotonic() - began, answer


def ashiato(*words):
    ran = subprocess.run([args.ashiato, *words, "--lake", lake], check=True, capture_output=True, text=True)
    return ran.stdout, ran.stderr


def ask_ashiato(condition, needle):
    if "strpos" in condition:
        # The same question as a person asks it here: the resource has a name.
        sql = "select sum(events), min(first_seen), max(last_seen) from touches where resource = $needle and not is_read"
        needle = f"arn:aws:s3:::{needle}"
    else:
        sql = f"select {COLUMNS} from cloudtrail where {condition}"
    return ashiato("query", sql, "--stats", "--format", "jsonl", "--param", f"needle={needle}")


def ask_duckdb(condition, needle):
    files = f"{lake}/ext/ct-*/**/*.parquet"
    sql = f"select {COLUMNS} from read_parquet('{files}', hive_partitioning = true) where {condition}"
    return duckdb.connect().execute(sql, {"needle": needle}).fetchall()


for name, condition, needle in QUESTIONS:
    ours, (rows, stats) = timed(lambda: ask_ashiato(condition, needle))
    theirs, found = timed(lambda: ask_duckdb(condition, needle))
    print(f"{name}: ashiato {ours:.2f} s, DuckDB {theirs:.2f} s\n  {rows.strip()}\n  {stats.strip()}\n  DuckDB: {found}")

for subject in [args.key, args.ip, f"arn:aws:s3:::{args.bucket}", args.finding, "latest"]:
    wall, (answer, _) = timed(lambda: ashiato("investigate", subject, "--format", "json"))
    asked = json.loads(answer)["asked"]
    read = sum(question["bytes_read"] for question in asked)
    print(f"investigate {subject}: {wall:.2f} s, {len(asked)} questions, {read / 1e6:.2f} MB read")
