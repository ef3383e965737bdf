#!/usr/bin/env python3
"""Turns a folder of VPC Flow Log .log.gz files into partitioned Parquet with DuckDB.

`read_csv` bound by the header line, numbers typed, `-` as null, into `PARTITION_BY (account, day)`, zstd, ordered by
time inside a partition as Security Lake wants it (`--unordered` leaves that out).

Prints one JSON line: rows, seconds, CPU user and system seconds, peak RSS.
"""

import argparse
import json
import resource
import time

import duckdb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="glob of .log.gz files")
    parser.add_argument("output", help="folder for the Parquet files")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--unordered", action="store_true")
    args = parser.parse_args()

    db = duckdb.connect()
    db.execute("set threads = ?", [args.threads])
    db.execute("set memory_limit = ?", [args.memory_limit])
    files = args.input.replace("'", "''")
    order = "" if args.unordered else 'order by "account-id", start'
    sql = f"""copy (
    select *, "account-id" as account, strftime(to_timestamp(start), '%Y%m%d') as day
    from read_csv('{files}', delim = ' ', header = true, nullstr = '-', compression = 'gzip',
        types = {{'account-id': 'VARCHAR'}})
    {order}
) to '{args.output.replace("'", "''")}' (format parquet, compression zstd, partition_by (account, day),
    overwrite_or_ignore)"""
    start = time.perf_counter()
    rows = db.execute(sql).fetchone()[0]
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "duckdb": duckdb.__version__,
                "threads": args.threads,
                "ordered": not args.unordered,
                "rows": rows,
                "seconds": round(seconds, 3),
                "cpu_user_seconds": round(usage.ru_utime, 3),
                "cpu_system_seconds": round(usage.ru_stime, 3),
                "peak_rss_mb": round(usage.ru_maxrss / 1024, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
