// The official EventStoreDB client for Node, unmodified, against the server that
// ESDB_URL names.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import {
  ANY, BACKWARDS, END, EventStoreDBClient, FORWARDS, NO_STREAM, PARK, PINNED, RETRY, SKIP, START, STREAM_EXISTS,
  AccessDeniedError, MaxAppendSizeExceededError, PersistentSubscriptionDoesNotExistError, PersistentSubscriptionExistsError,
  PersistentSubscriptionMaximumSubscribersReachedError, StreamDeletedError, StreamNotFoundError,
  WrongExpectedVersionError, binaryEvent, eventTypeFilter, excludeSystemEvents, jsonEvent,
  persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults, streamNameFilter,
} from "@eventstore/db-client";

const secure = process.env.ESDB_SECURE === "true";
const client = EventStoreDBClient.connectionString(process.env.ESDB_URL);
after(() => client.dispose());

const timeout = 30_000; // of every test; only failures come near it
const name = (prefix) => `${prefix}-${randomUUID()}`;
const events = (n, type = "happened") => Array.from({ length: n }, (_, i) => jsonEvent({ type, data: { n: i } }));
const collect = async (read) => {
  const out = [];
  for await (const e of read) out.push(e);
  return out;
};
const numbers = (list) => list.map((e) => Number((e.link ?? e.event).revision));

// take reads n events of a subscription, passing each to what is to be done with
// it. The subscription stays open.
async function take(subscription, n, each = () => {}) {
  const out = [];
  for await (const e of subscription.iterator({ destroyOnReturn: false })) {
    out.push(e);
    await each(e, subscription);
    if (out.length === n) break;
  }
  return out;
}

// until waits for something to become true.
async function until(is) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await is();
    if (value) return value;
    assert.ok(Date.now() < deadline, `never true: ${is}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("appends, alone and in batches, and reads both ways", { timeout }, async () => {
  const stream = name("append");
  const first = await client.appendToStream(stream, events(3), { expectedRevision: NO_STREAM });
  assert.equal(first.success, true);
  assert.equal(first.nextExpectedRevision, 2n);
  assert.ok(first.position.commit > 0n);
  // With credentials of its own a call is not batched.
  const alone = secure ? { credentials: { username: "admin", password: "changeit" } } : {};
  const second = await client.appendToStream(stream, binaryEvent({ type: "raw", data: Buffer.from([0, 1, 255]), metadata: Buffer.from("m") }),
    { expectedRevision: 2n, ...alone });
  assert.equal(second.nextExpectedRevision, 3n);
  const many = await Promise.all(Array.from({ length: 50 }, () => client.appendToStream(stream, events(2), { expectedRevision: ANY })));
  assert.equal(Math.max(...many.map((r) => Number(r.nextExpectedRevision))), 103);

  const all = await collect(client.readStream(stream, { direction: FORWARDS, fromRevision: START }));
  assert.deepEqual(numbers(all), Array.from({ length: 104 }, (_, i) => i));
  assert.deepEqual(all[1].event.data, { n: 1 });
  assert.equal(all[0].event.isJson, true);
  assert.deepEqual([...all[3].event.data], [0, 1, 255]);
  assert.equal(Buffer.from(all[3].event.metadata).toString(), "m");
  assert.ok(Math.abs(Date.now() - all[0].event.created.getTime()) < 60_000);
  assert.deepEqual(numbers(await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 3 }))), [103, 102, 101]);
  assert.deepEqual(numbers(await collect(client.readStream(stream, { fromRevision: 100n, maxCount: 2 }))), [100, 101]);
});

test("a retry of an append is answered as the first time", { timeout }, async () => {
  const stream = name("retry");
  const list = events(2);
  const first = await client.appendToStream(stream, list, { expectedRevision: NO_STREAM });
  const again = await client.appendToStream(stream, list, { expectedRevision: NO_STREAM });
  assert.deepEqual([again.nextExpectedRevision, again.position], [first.nextExpectedRevision, first.position]);
  assert.equal((await collect(client.readStream(stream))).length, 2);
});

test("wrong revisions are typed errors", { timeout }, async () => {
  const stream = name("wrong");
  await client.appendToStream(stream, events(1));
  await assert.rejects(client.appendToStream(stream, events(1), { expectedRevision: NO_STREAM }), (e) => {
    assert.ok(e instanceof WrongExpectedVersionError);
    assert.equal(e.actualVersion, 0n);
    return true;
  });
  await assert.rejects(client.appendToStream(name("none"), events(1), { expectedRevision: STREAM_EXISTS }), WrongExpectedVersionError);
  await assert.rejects(client.deleteStream(stream, { expectedRevision: 7n }), WrongExpectedVersionError);
  await assert.rejects(collect(client.readStream(name("none"))), StreamNotFoundError);
  const large = jsonEvent({ type: "large", data: { text: "x".repeat(1_100_000) } });
  await assert.rejects(client.appendToStream(stream, large), MaxAppendSizeExceededError);
});

test("streams are deleted, come back, and are closed for ever", { timeout }, async () => {
  const stream = name("deleted");
  await client.appendToStream(stream, events(2));
  await client.deleteStream(stream, { expectedRevision: 1n });
  await assert.rejects(collect(client.readStream(stream)), StreamNotFoundError);
  await client.appendToStream(stream, events(1));
  assert.deepEqual(numbers(await collect(client.readStream(stream))), [2]);
  await client.tombstoneStream(stream);
  await assert.rejects(collect(client.readStream(stream)), StreamDeletedError);
  await assert.rejects(client.appendToStream(stream, events(1)), StreamDeletedError);
});

test("stream metadata", { timeout }, async () => {
  const stream = name("metadata");
  assert.equal((await client.getStreamMetadata(stream)).metadata, undefined);
  await client.setStreamMetadata(stream, { maxCount: 2, mine: "x" });
  await client.appendToStream(stream, events(5));
  assert.deepEqual((await client.getStreamMetadata(stream)).metadata, { maxCount: 2, mine: "x" });
  assert.deepEqual(numbers(await collect(client.readStream(stream))), [3, 4]);
});

test("the whole log is read and filtered", { timeout }, async () => {
  const type = name("type");
  await client.appendToStream(name("all"), events(3, type));
  const backwards = await collect(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 20 }));
  const mine = backwards.filter((e) => e.event?.type === type);
  assert.equal(mine.length, 3);
  const from = mine[2].event.position;
  const forwards = await collect(client.readAll({ fromPosition: from, maxCount: 3 }));
  assert.deepEqual(forwards.map((e) => e.event.type), [type, type, type]);
});

test("subscriptions catch up and go on", { timeout }, async () => {
  const stream = name("subscribe");
  await client.appendToStream(stream, events(3));
  const subscription = client.subscribeToStream(stream, { fromRevision: 0n });
  const got = await take(subscription, 4, async (e) => {
    if (e.event.revision === 2n) await client.appendToStream(stream, events(2));
  });
  assert.deepEqual(numbers(got), [1, 2, 3, 4]);
  await subscription.unsubscribe();
});

test("subscriptions to the whole log filter and report checkpoints", { timeout }, async () => {
  const prefix = name("filter");
  const start = (await client.appendToStream(name("before"), events(1))).position;
  let checkpoints = 0;
  const filters = [
    streamNameFilter({ prefixes: [prefix], checkpointInterval: 5, checkpointReached: () => { checkpoints++; } }),
    streamNameFilter({ regex: `^${prefix}` }),
    eventTypeFilter({ prefixes: [prefix] }),
    eventTypeFilter({ regex: `${prefix.slice(5)}$` }),
  ];
  await client.appendToStream(name("other"), events(200));
  await client.appendToStream(`${prefix}-s`, events(2, prefix));
  for (const filter of filters) {
    const subscription = client.subscribeToAll({ fromPosition: start, filter });
    const got = await take(subscription, 2);
    assert.deepEqual(numbers(got), [0, 1]);
    await subscription.unsubscribe();
  }
  assert.ok(checkpoints > 0);
  const users = client.subscribeToAll({ fromPosition: START, filter: excludeSystemEvents() });
  assert.ok((await take(users, 5)).every((e) => !e.event.type.startsWith("$")));
  await users.unsubscribe();
});

test("links are resolved", { timeout }, async () => {
  const stream = name("target");
  const links = name("links");
  await client.appendToStream(stream, events(1));
  await client.appendToStream(links, binaryEvent({ type: "$>", data: Buffer.from(`0@${stream}`) }));
  const [resolved] = await collect(client.readStream(links, { resolveLinkTos: true }));
  assert.equal(resolved.event.streamId, stream);
  assert.equal(resolved.link.streamId, links);
});

test("persistent subscriptions deliver, retry, skip, park and replay", { timeout }, async () => {
  const stream = name("persistent");
  const group = "group";
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, checkPointLowerBound: 1, maxSubscriberCount: 1 });
  await client.createPersistentSubscriptionToStream(stream, group, settings);
  await assert.rejects(client.createPersistentSubscriptionToStream(stream, group, settings), PersistentSubscriptionExistsError);
  await client.appendToStream(stream, events(4));
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group, { bufferSize: 4 });
  const got = await take(subscription, 5, async (e, s) => {
    switch (Number(e.event.revision)) {
      case 0: return s.ack(e);
      case 1: return s.nack(SKIP, "skipped", e);
      case 2: return s.nack(PARK, "parked", e);
      default: return e.retryCount ? s.ack(e) : s.nack(RETRY, "again", e);
    }
  });
  assert.deepEqual(numbers(got), [0, 1, 2, 3, 3]);
  assert.deepEqual(got.map((e) => e.retryCount), [0, 0, 0, 0, 1]);
  const info = () => client.getPersistentSubscriptionToStreamInfo(stream, group);
  const parked = await until(async () => { const i = await info(); return i.stats.parkedMessageCount === 1n && i; });
  assert.equal(parked.connections.length, 1);
  assert.equal(parked.settings.maxSubscriberCount, 1);

  const second = client.subscribeToPersistentSubscriptionToStream(stream, group);
  await assert.rejects(take(second, 1), PersistentSubscriptionMaximumSubscribersReachedError);

  await client.replayParkedMessagesToStream(stream, group);
  const [again] = await take(subscription, 1, (e, s) => s.ack(e));
  assert.equal(again.event.streamId, stream);
  assert.equal(again.event.revision, 2n);
  await until(async () => (await info()).stats.parkedMessageCount === 0n);
  await subscription.unsubscribe();
  await client.updatePersistentSubscriptionToStream(stream, group, { ...settings, consumerStrategyName: PINNED });
  assert.equal((await info()).settings.consumerStrategyName, PINNED);
  assert.ok((await client.listPersistentSubscriptionsToStream(stream)).some((i) => i.groupName === group));
  await client.deletePersistentSubscriptionToStream(stream, group);
  await assert.rejects(info(), (e) => {
    assert.ok(e instanceof PersistentSubscriptionDoesNotExistError);
    assert.ok(e.message.includes(`Subscription group ${group} on stream ${stream} does not exist.`), e.message);
    return true;
  });
});

test("persistent subscriptions to the whole log", { timeout }, async () => {
  const prefix = name("pall");
  const group = name("group");
  await client.createPersistentSubscriptionToAll(group, persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START }),
    { filter: streamNameFilter({ prefixes: [prefix] }) });
  await client.appendToStream(`${prefix}-1`, events(2));
  const subscription = client.subscribeToPersistentSubscriptionToAll(group);
  assert.deepEqual(numbers(await take(subscription, 2, (e, s) => s.ack(e))), [0, 1]);
  await subscription.unsubscribe();
  assert.ok((await client.listAllPersistentSubscriptions()).some((i) => i.groupName === group));
  await client.deletePersistentSubscriptionToAll(group);
});

test("projections are said to be unimplemented", { timeout }, async () => {
  await assert.rejects(client.createProjection(name("p"), "fromAll()"), (e) => e.code === 12);
});

test("strangers may neither read the whole log nor make groups", { timeout, skip: !secure }, async () => {
  const stranger = EventStoreDBClient.connectionString(process.env.ESDB_STRANGER_URL);
  await assert.rejects(collect(stranger.readAll({ maxCount: 1 })), AccessDeniedError);
  await assert.rejects(stranger.appendToStream("$system", events(1)), AccessDeniedError);
  const settings = persistentSubscriptionToStreamSettingsFromDefaults();
  await assert.rejects(stranger.createPersistentSubscriptionToStream(name("s"), "g", settings), AccessDeniedError);
  const group = name("g");
  await client.createPersistentSubscriptionToAll(group, persistentSubscriptionToAllSettingsFromDefaults());
  await assert.rejects(take(stranger.subscribeToPersistentSubscriptionToAll(group), 1), AccessDeniedError);
  await assert.rejects(
    client.appendToStream(name("s"), events(1), { credentials: { username: "admin", password: "wrong" } }), AccessDeniedError);
  await stranger.dispose();
});
