"""The built binary against somebody else's S3, SQS and STS (ministack), from an object that is written to a row.

    python end_to_end.py target/debug/ashiato [COMMAND …]

Starts ministack on a free port of 127.0.0.1 and stops it at the end. What a bucket announces goes to a queue, a worker reads
it into a lake in another bucket; among the objects are replaced ones and bad ones. COMMAND runs while the services are up, with
ASHIATO_TEST_AWS naming them. Needs ministack and boto3 beside this interpreter.
"""

import gzip
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

REGION = "eu-west-1"
ACCOUNT = "111122223333"
PATIENCE = 90


def until(what, is_so):
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE} s until {what}")
        time.sleep(0.1)


def record(number):
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/x", "userName": "x"},
        "eventTime": f"2025-01-05T10:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"00000000-0000-4000-9000-{number:012}",
        "eventID": uid(number),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def uid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def key(name):
    stem = f"{ACCOUNT}_CloudTrail_{REGION}_20250105T1005Z_{name}.json.gz"
    return f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2025/01/05/{stem}"


def file(numbers):
    return gzip.compress(json.dumps({"Records": [record(number) for number in numbers]}).encode(), mtime=0)


class World:
    """The services, a lake, and a worker's environment."""

    def __init__(self, binary, folder, endpoint):
        self.binary, self.folder = binary, folder
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        quick = Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=20)
        self.s3 = boto3.client("s3", endpoint_url=endpoint, config=quick, **keys)
        self.kms = boto3.client("kms", endpoint_url=endpoint, config=quick, **keys)
        self.sqs = boto3.client("sqs", endpoint_url=endpoint, config=quick, **keys)
        self.environment = {
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "ASHIATO_LAKE": "s3://lake/rows",
            "ASHIATO_CATALOG": str(folder / "catalog.sqlite"),
            "ASHIATO_INGEST_BATCH_AGE_MAX": "500ms",
            "ASHIATO_INGEST_LEASE": "2s",
            "ASHIATO_WORKER_DELIVERIES_MAX": "3",
        }

    def is_up(self):
        try:
            self.s3.list_buckets()
            return True
        except (BotoCoreError, ClientError):
            return False

    def prepare(self):
        """Buckets, queues, and the bucket's notifications."""
        for bucket in ("archive", "lake"):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.environment["ASHIATO_LAKE_KMS_KEY"] = self.key
        self.dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.logs = self.sqs.create_queue(QueueName="logs")["QueueUrl"]
        self.redrive(10)
        self.environment |= {"ASHIATO_WORKER_QUEUE": self.logs, "ASHIATO_WORKER_DEAD_LETTER_QUEUE": self.dead}
        queue = {"QueueArn": self.arn(self.logs), "Events": ["s3:ObjectCreated:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket="archive", NotificationConfiguration={"QueueConfigurations": [queue]}
        )

    def redrive(self, deliveries_max):
        policy = json.dumps({"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": deliveries_max})
        self.sqs.set_queue_attributes(QueueUrl=self.logs, Attributes={"RedrivePolicy": policy})

    def arn(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def depth(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in counts.values())

    def put(self, name, numbers, bucket="archive"):
        self.s3.put_object(Bucket=bucket, Key=key(name), Body=file(numbers))

    def run(self, *words, code=0):
        ran = subprocess.run([self.binary, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True)
        if ran.returncode != code:
            raise SystemExit(f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran.stdout

    def work(self):
        """Runs a worker until the queue is empty, and stops it as an orchestrator does."""
        log = self.folder / "worker.log"
        with log.open("a") as stderr:
            worker = subprocess.Popen(
                [self.binary, "worker"], env=self.environment, cwd=self.folder, stdout=stderr, stderr=stderr
            )
        try:
            until("the queue is empty", lambda: self.depth(self.logs) == 0)
        except SystemExit:
            sys.stderr.write(log.read_text()[-4000:])
            raise
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(timeout=60)
        check("the worker ended", code, 0)

    def uids(self):
        lines = self.run("query", "select metadata.uid as uid from cloudtrail order by uid", "--format", "jsonl")
        return [json.loads(line)["uid"] for line in lines.splitlines()]


def check(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what}: found {found!r}, expected {expected!r}")
    print(f"ok {what}")


def story(world):
    world.prepare()
    for number in range(20):
        world.put(f"object {number}+%", range(number * 2, number * 2 + 2))
    # Replaced before anybody read it: what is there counts.
    world.put("replaced-early", [100])
    world.put("replaced-early", [101])
    world.s3.put_object(Bucket="archive", Key=key("poison"), Body=b"<html>")
    print(world.run("preflight", "--archive", "s3://archive"), end="")
    told = world.run("preflight", "--object", "s3://archive/none", "--archive", "s3://no-bucket", code=1)
    check("a missing object and a missing bucket are told", ["NoSuchKey" in told, "NoSuchBucket" in told], [True, True])
    world.sqs.send_message(QueueUrl=world.logs, MessageBody="what is this?")
    # Announced, and not there yet.
    event = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION, "eventName": "ObjectCreated:Put"}
    event["s3"] = {"bucket": {"name": "later"}, "object": {"key": key("late"), "eTag": hashlib.md5(file([300])).hexdigest()}}
    world.sqs.send_message(QueueUrl=world.logs, MessageBody=json.dumps({"Records": [event]}))
    world.work()
    rows = [uid(number) for number in [*range(40), 101]]
    check("each record is a row once", world.uids(), rows)
    reasons = [json.loads(line)["reason"] for line in world.run("dlq", "list", "--json").splitlines()]
    check("dead letters", sorted(reason.split(":")[0].split(";")[0] for reason in reasons)[-1], "the message is no JSON")
    check("there are two of them", len(reasons), 2)
    entries = world.run("quarantine", "list", "--json").splitlines()
    check("the poison object is set aside", [json.loads(entry)["object"] for entry in entries], [f"s3://archive/{key('poison')}"])
    # Replaced when it was read already: it is read again. And the bucket that was missing is there.
    world.put("object 0+%", [200])
    world.s3.create_bucket(Bucket="later", CreateBucketConfiguration={"LocationConstraint": REGION})
    world.put("late", [300], bucket="later")
    check("dead letters go back", world.run("dlq", "retry").split()[0], "2")
    world.work()
    rows += [uid(200), uid(300)]
    check("what was replaced and what was late are rows too", world.uids(), rows)
    world.run("settle")
    check("settled, the same rows", world.uids(), rows)
    check("the queue is empty", world.depth(world.logs), 0)
    files = world.s3.list_objects_v2(Bucket="lake", Prefix="rows/")["Contents"]
    heads = [world.s3.head_object(Bucket="lake", Key=file["Key"]) for file in files]
    check("the lake is encrypted with its key", {head.get("SSEKMSKeyId") for head in heads}, {world.key})
    # Without a queue of ours for dead letters the service's own policy moves what comes too often.
    del world.environment["ASHIATO_WORKER_DEAD_LETTER_QUEUE"]
    world.redrive(2)
    world.sqs.send_message(QueueUrl=world.logs, MessageBody="what is this, again?")
    left = world.depth(world.dead)
    world.work()
    until("the policy moved it", lambda: world.depth(world.dead) == left + 1)
    print("ok moved by the redrive policy")
    world.run("ingest", "s3://archive", code=0)
    check("listed again, nothing is new", world.uids(), rows)


def main():
    binary, *command = sys.argv[1:]
    binary = str(pathlib.Path(binary).resolve())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": str(folder)}
        with (folder / "ministack.log").open("w") as log:
            server = pathlib.Path(sys.executable).parent / "ministack"
            services = subprocess.Popen([server], env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            world = World(binary, folder, endpoint)
            until("ministack answers", world.is_up)
            story(world)
            if command:
                ran = subprocess.run(command, env=os.environ | {"ASHIATO_TEST_AWS": endpoint}, check=False)
                check(" ".join(command), ran.returncode, 0)
        finally:
            services.terminate()
            services.wait(timeout=30)


if __name__ == "__main__":
    main()
