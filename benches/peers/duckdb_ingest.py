#!/usr/bin/env python3
"""Ingests a folder of CloudTrail .json.gz files into partitioned Parquet with DuckDB.

Two ways, both one SQL statement into `PARTITION_BY (region, account, day)`, zstd:
  fast        each file is read as one line of one column (read_csv), then `$.Records[*]` is unnested as JSON and
              42 typed columns are taken from each record;
  documented  read_json with its own schema inference, as the DuckDB documentation shows.

Prints one JSON line: rows, seconds, CPU user and system seconds, peak RSS.
"""

import argparse
import json
import resource
import time

import duckdb

# Name of the column, path in the record, type. Text is taken as text, JSON kept as its text.
COLUMNS = [
    ("event_version", "$.eventVersion", "VARCHAR"),
    ("event_time", "$.eventTime", "TIMESTAMP"),
    ("event_source", "$.eventSource", "VARCHAR"),
    ("event_name", "$.eventName", "VARCHAR"),
    ("aws_region", "$.awsRegion", "VARCHAR"),
    ("source_ip_address", "$.sourceIPAddress", "VARCHAR"),
    ("user_agent", "$.userAgent", "VARCHAR"),
    ("error_code", "$.errorCode", "VARCHAR"),
    ("error_message", "$.errorMessage", "VARCHAR"),
    ("request_id", "$.requestID", "VARCHAR"),
    ("event_id", "$.eventID", "VARCHAR"),
    ("read_only", "$.readOnly", "BOOLEAN"),
    ("event_type", "$.eventType", "VARCHAR"),
    ("api_version", "$.apiVersion", "VARCHAR"),
    ("management_event", "$.managementEvent", "BOOLEAN"),
    ("recipient_account_id", "$.recipientAccountId", "VARCHAR"),
    ("shared_event_id", "$.sharedEventID", "VARCHAR"),
    ("vpc_endpoint_id", "$.vpcEndpointId", "VARCHAR"),
    ("vpc_endpoint_account_id", "$.vpcEndpointAccountId", "VARCHAR"),
    ("event_category", "$.eventCategory", "VARCHAR"),
    ("session_credential_from_console", "$.sessionCredentialFromConsole", "VARCHAR"),
    ("tls_version", "$.tlsDetails.tlsVersion", "VARCHAR"),
    ("tls_cipher_suite", "$.tlsDetails.cipherSuite", "VARCHAR"),
    ("tls_host", "$.tlsDetails.clientProvidedHostHeader", "VARCHAR"),
    ("user_type", "$.userIdentity.type", "VARCHAR"),
    ("user_principal_id", "$.userIdentity.principalId", "VARCHAR"),
    ("user_arn", "$.userIdentity.arn", "VARCHAR"),
    ("user_account_id", "$.userIdentity.accountId", "VARCHAR"),
    ("user_access_key_id", "$.userIdentity.accessKeyId", "VARCHAR"),
    ("user_name", "$.userIdentity.userName", "VARCHAR"),
    ("user_invoked_by", "$.userIdentity.invokedBy", "VARCHAR"),
    ("issuer_type", "$.userIdentity.sessionContext.sessionIssuer.type", "VARCHAR"),
    ("issuer_arn", "$.userIdentity.sessionContext.sessionIssuer.arn", "VARCHAR"),
    ("issuer_user_name", "$.userIdentity.sessionContext.sessionIssuer.userName", "VARCHAR"),
    ("session_created", "$.userIdentity.sessionContext.attributes.creationDate", "TIMESTAMP"),
    ("session_mfa", "$.userIdentity.sessionContext.attributes.mfaAuthenticated", "VARCHAR"),
    ("session_source_identity", "$.userIdentity.sessionContext.sourceIdentity", "VARCHAR"),
    ("request_parameters", "$.requestParameters", "JSON"),
    ("response_elements", "$.responseElements", "JSON"),
    ("additional_event_data", "$.additionalEventData", "JSON"),
    ("service_event_details", "$.serviceEventDetails", "JSON"),
    ("resources", "$.resources", "JSON"),
]
assert len(COLUMNS) == 42


def structure() -> dict:
    """The nested shape that json_transform takes all columns from in one pass over a record."""
    shape: dict = {}
    for _, path, kind in COLUMNS:
        node, parts = shape, path.split(".")[1:]
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        node[parts[-1]] = kind
    return shape


def field(path: str) -> str:
    return "r" + "".join(f'."{part}"' for part in path.split(".")[1:])


def extracted(kind: str, text: str) -> str:
    return f"CAST({text} AS VARCHAR)" if kind == "JSON" else text


def fast(files: str, line_bytes: int) -> str:
    shape = json.dumps(structure()).replace("'", "''")
    columns = ",\n    ".join(f"{extracted(kind, field(path))} AS {name}" for name, path, kind in COLUMNS)
    return f"""
with lines as (
    select line
    from read_csv('{files}', columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
        delim = chr(1), quote = '', escape = '', strict_mode = false, compression = 'gzip',
        max_line_size = {line_bytes}, buffer_size = {line_bytes + 16}, parallel = false)
),
records as (
    select unnest(from_json(json_extract(line, '$.Records'), '[{shape}]')) as r
    from lines
)
select
    {columns},
    r."awsRegion" as region,
    r."recipientAccountId" as account,
    strftime(r."eventTime", '%Y%m%d') as day
from records"""


def documented(files: str, line_bytes: int) -> str:
    # The record's own maps are kept as JSON: left to inference, every API of AWS becomes a struct field.
    def shape(node: dict) -> str:
        inner = ", ".join(
            f'"{name}" {shape(kind) if isinstance(kind, dict) else kind}' for name, kind in node.items()
        )
        return f"STRUCT({inner})"

    record = shape(structure()).replace("'", "''")
    columns = ",\n    ".join(f"{extracted(kind, field(path))} AS {name}" for name, path, kind in COLUMNS)
    return f"""
with records as (
    select unnest("Records") as r
    from read_json('{files}', columns = {{'Records': '{record}[]'}}, compression = 'gzip',
        maximum_object_size = {line_bytes})
)
select
    {columns},
    r."awsRegion" as region,
    r."recipientAccountId" as account,
    strftime(r."eventTime", '%Y%m%d') as day
from records"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="glob of .json.gz files, for example 'archive/AWSLogs/**/*.json.gz'")
    parser.add_argument("output", help="folder for the Parquet files")
    parser.add_argument("--documented", action="store_true", help="read_json instead of the fast way")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--line-bytes", type=int, default=96 << 20, help="the largest unpacked file")
    parser.add_argument("--show-sql", action="store_true")
    args = parser.parse_args()

    db = duckdb.connect()
    db.execute("set threads = ?", [args.threads])
    db.execute("set memory_limit = ?", [args.memory_limit])
    db.execute("set preserve_insertion_order = false")
    files = args.input.replace("'", "''")
    output = args.output.replace("'", "''")
    select = (documented if args.documented else fast)(files, args.line_bytes)
    sql = f"""copy ({select}
) to '{output}' (format parquet, compression zstd, partition_by (region, account, day), overwrite_or_ignore)"""
    if args.show_sql:
        print(sql)
    start = time.perf_counter()
    rows = db.execute(sql).fetchone()[0]
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "way": "documented" if args.documented else "fast",
                "duckdb": duckdb.__version__,
                "threads": args.threads,
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
