"""A client for Python, unmodified, against the server that ESDB_URL names."""

import os
import threading
import time
import unittest
from uuid import uuid4

from esdbclient import CaughtUp, Checkpoint, EventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import AlreadyExists, GrpcError, NotFound, StreamIsDeleted, WrongCurrentVersion

PATIENCE = 30  # seconds; only failures come near it


def name(prefix):
    return f"{prefix}-{uuid4()}"


def events(n, type="happened"):
    return [NewEvent(type=type, data=b'{"n":%d}' % i) for i in range(n)]


def take(subscription, n):
    """Reads n events of a subscription, which ends if they do not come."""
    timer = threading.Timer(PATIENCE, subscription.stop)
    timer.start()
    try:
        out = []
        for e in subscription:
            out.append(e)
            if len(out) == n:
                return out
        raise AssertionError(f"{len(out)} of {n} events came")
    finally:
        timer.cancel()


class EventStore(unittest.TestCase):
    def setUp(self):
        ca = os.environ.get("ESDB_CA")
        roots = open(ca, encoding="ascii").read() if ca else None
        self.client = EventStoreDBClient(uri=os.environ["ESDB_URL"], root_certificates=roots)
        self.addCleanup(self.client.close)

    def test_appends_and_reads(self):
        stream = name("append")
        position = self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(3))
        self.assertGreater(position, 0)
        self.client.append_event(stream, current_version=2, event=NewEvent(type="raw", data=b"\x00\xff", metadata=b"m", content_type="application/octet-stream"))
        with self.assertRaises(WrongCurrentVersion):
            self.client.append_to_stream(stream, current_version=7, events=events(1))
        got = self.client.get_stream(stream)
        self.assertEqual([e.stream_position for e in got], [0, 1, 2, 3])
        self.assertEqual((got[3].data, got[3].metadata, got[3].content_type), (b"\x00\xff", b"m", "application/octet-stream"))
        self.assertEqual([e.stream_position for e in self.client.get_stream(stream, backwards=True, limit=2)], [3, 2])
        self.assertEqual(self.client.get_current_version(stream), 3)
        with self.assertRaises(NotFound):
            self.client.get_stream(name("none"))

    def test_a_retry_is_recognised(self):
        stream, list_ = name("retry"), events(2)
        first = self.client.append_events(stream, current_version=StreamState.NO_STREAM, events=list_)
        self.assertEqual(self.client.append_events(stream, current_version=StreamState.NO_STREAM, events=list_), first)
        self.assertEqual(len(self.client.get_stream(stream)), 2)

    def test_deletes_and_metadata(self):
        stream = name("deleted")
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(5))
        self.client.set_stream_metadata(stream, metadata={"$maxCount": 2})
        self.assertEqual(self.client.get_stream_metadata(stream)[0], {"$maxCount": 2})
        self.assertEqual([e.stream_position for e in self.client.get_stream(stream)], [3, 4])
        self.client.delete_stream(stream, current_version=4)
        with self.assertRaises(NotFound):
            self.client.get_stream(stream)
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(1))
        self.assertEqual([e.stream_position for e in self.client.get_stream(stream)], [5])
        self.client.tombstone_stream(stream, current_version=StreamState.ANY)
        with self.assertRaises(StreamIsDeleted):
            self.client.get_stream(stream)

    def test_reads_and_filters_the_whole_log(self):
        type_, before = name("type"), self.client.get_commit_position()
        self.client.append_to_stream(name("all"), current_version=StreamState.NO_STREAM, events=events(2, type_))
        # Its default filter, which leaves out system events, is a negative look-ahead.
        got = [e for e in self.client.read_all(commit_position=before) if e.type == type_]
        self.assertEqual([e.stream_position for e in got], [0, 1])
        got = list(self.client.read_all(filter_include=[type_]))
        self.assertEqual([e.stream_position for e in got], [0, 1])
        self.assertFalse([e for e in self.client.read_all() if e.type.startswith("$")])

    def test_subscribes(self):
        stream, prefix = name("subscribe"), name("prefix")
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(2))
        with self.client.subscribe_to_stream(stream, include_caught_up=True) as s:
            got = take(s, 3)
            self.assertIsInstance(got[2], CaughtUp)
            self.client.append_to_stream(stream, current_version=1, events=events(1))
            self.assertEqual(take(s, 1)[0].stream_position, 2)
        before = self.client.get_commit_position()
        with self.client.subscribe_to_all(commit_position=before, filter_include=[prefix + ".*"], filter_by_stream_name=True,
                                          include_checkpoints=True, window_size=10, checkpoint_interval_multiplier=1) as s:
            self.client.append_to_stream(name("other"), current_version=StreamState.NO_STREAM, events=events(100))
            self.client.append_to_stream(prefix, current_version=StreamState.NO_STREAM, events=events(1))
            seen = []
            while not seen or isinstance(seen[-1], Checkpoint):
                seen += take(s, 1)
            self.assertEqual(seen[-1].stream_name, prefix)
            self.assertGreater(len(seen), 1)

    def test_persistent_subscriptions(self):
        stream = name("persistent")
        self.client.create_subscription_to_stream("g", stream, min_checkpoint_count=1, consumer_strategy="RoundRobin")
        with self.assertRaises(AlreadyExists):
            self.client.create_subscription_to_stream("g", stream)
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(4))
        with self.client.read_subscription_to_stream("g", stream, max_ack_batch_size=1) as s:
            got = take(s, 4)
            self.assertEqual([e.stream_position for e in got], [0, 1, 2, 3])
            s.ack(got[0])
            s.nack(got[1], action="skip")
            s.nack(got[2], action="park")
            s.nack(got[3], action="retry")
            again = take(s, 1)[0]
            self.assertEqual((again.stream_position, again.retry_count), (3, 1))
            s.ack(again)
            self.until(lambda: self.client.get_subscription_info("g", stream).parked_message_count == 1)
            self.client.replay_parked_events("g", stream)
            replayed = take(s, 1)[0]
            self.assertEqual(replayed.data, got[2].data)
            s.ack(replayed)
            self.until(lambda: self.client.get_subscription_info("g", stream).parked_message_count == 0)
        self.assertIn("g", [i.group_name for i in self.client.list_subscriptions_to_stream(stream)])
        self.client.update_subscription_to_stream("g", stream, max_retry_count=3)
        self.assertEqual(self.client.get_subscription_info("g", stream).max_retry_count, 3)
        self.client.delete_subscription("g", stream)
        with self.assertRaises(NotFound):
            self.client.get_subscription_info("g", stream)

    def test_persistent_subscriptions_to_the_whole_log(self):
        group, prefix = name("g"), name("pall")
        self.client.create_subscription_to_all(group, filter_include=[prefix + ".*"], filter_by_stream_name=True)
        self.client.append_to_stream(prefix, current_version=StreamState.NO_STREAM, events=events(2))
        with self.client.read_subscription_to_all(group) as s:
            got = take(s, 2)
            self.assertEqual([e.stream_position for e in got], [0, 1])
            for e in got:
                s.ack(e)
        self.client.delete_subscription(group)

    def test_the_cluster_is_one_leader(self):
        members = self.client.read_gossip()
        self.assertEqual([m.state for m in members], ["NODE_STATE_LEADER"])

    @unittest.skipUnless(os.environ.get("ESDB_CA"), "without TLS everybody may do everything")
    def test_wrong_passwords(self):
        wrong = self.client.construct_call_credentials("admin", "wrong")
        with self.assertRaises(GrpcError):
            self.client.append_to_stream(name("s"), current_version=StreamState.ANY, events=events(1), credentials=wrong)

    def until(self, is_true):
        deadline = time.monotonic() + PATIENCE
        while not is_true():
            self.assertLess(time.monotonic(), deadline, "it never became true")
            time.sleep(0.005)


if __name__ == "__main__":
    unittest.main(verbosity=2)
