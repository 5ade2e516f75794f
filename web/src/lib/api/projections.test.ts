import { expect, test } from 'vitest'
import type { ParkedEvent, Rebuild } from './projections'
import { byStream, rebuildShare, verdict } from './projections'

const rebuild = (more: Partial<Rebuild>): Rebuild => ({
  state: 'filling', position: 0, target: 100, eventsPerSecond: 0, startedAt: '', finishedAt: null, differences: [], parked: 0, leftOut: 0, ...more,
})
const differing = { table: 't', rowsBefore: 1, rowsAfter: 1, onlyBefore: 1, onlyAfter: 1, samples: [] }

test.each([
  [rebuild({ position: 50 }), 0.5],
  [rebuild({ position: 120 }), 0.99],
  [rebuild({ target: 0 }), 0],
  [rebuild({ state: 'done', position: 3, target: 9 }), 1],
])('share %#', (r, want) => expect(rebuildShare(r)).toBe(want))

test.each([
  [rebuild({}), ''],
  [rebuild({ state: 'done', comparedAt: 7 }), 'The new rows equal the old ones as of position 7.'],
  [rebuild({ state: 'done', differences: [differing] }), 'One table differs: the new rows, which are what the log says, took the old ones’ place.'],
  [rebuild({ state: 'done', differences: [differing, differing] }), '2 tables differ: the new rows, which are what the log says, took the old ones’ place.'],
])('verdict %#', (r, want) => expect(verdict(r)).toBe(want))

test('parked events are grouped by stream, in order', () => {
  const at = (stream: string, position: number): ParkedEvent => ({ stream, position, type: 't', at: '', waiting: false })
  expect(byStream([at('b', 9), at('a', 4), at('b', 2)]).map((g) => [g.stream, g.events.map((e) => e.position)])).toEqual([['b', [2, 9]], ['a', [4]]])
})
