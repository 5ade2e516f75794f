import { beforeEach, describe, expect, test } from 'vitest'
import type { StrataEvent } from './api/types'
import type { Socket } from './event-feed'
import { EventFeed } from './event-feed'

const event = (sequence: number): StrataEvent => ({ id: `evt_${sequence}`, type: 'a.b.v1', time: '', sequence })

class FakeSocket implements Socket {
  onopen: (() => void) | null = null
  onmessage: ((message: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  closed = false
  readonly after: number

  constructor(after: number) {
    this.after = after
  }

  send(...frames: unknown[]) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) })
  }

  events(...sequences: number[]) {
    this.send(...sequences.map((sequence) => ({ type: 'event', event: event(sequence) })))
  }

  drop() {
    this.onclose?.()
  }

  close() {
    this.closed = true
    this.onclose?.()
  }
}

let sockets: FakeSocket[]
let waiting: { run: () => void; ms: number }[]

function feedOf(start: { events?: StrataEvent[]; after?: number; keep?: number } = {}) {
  return new EventFeed(
    {
      open: (after) => {
        const socket = new FakeSocket(after)
        sockets.push(socket)
        return socket
      },
      keep: start.keep ?? 100,
      schedule: (run, ms) => {
        const entry = { run, ms }
        waiting.push(entry)
        return () => {
          waiting = waiting.filter((other) => other !== entry)
        }
      },
    },
    { events: start.events ?? [], after: start.after ?? 0 },
  )
}

const socket = () => sockets.at(-1)!
const elapse = () => {
  const due = waiting
  waiting = []
  for (const { run } of due) run()
}
const sequences = (feed: EventFeed) => feed.state.get().events.map((e) => e.sequence)
const delays = () => waiting.map(({ ms }) => ms)

beforeEach(() => {
  sockets = []
  waiting = []
})

describe('following', () => {
  test('it starts after what is already shown, and shows newest first', () => {
    const feed = feedOf({ events: [event(5), event(4)], after: 5 })
    expect(socket().after).toBe(5)
    socket().onopen?.()
    expect(feed.state.get().status).toBe('catching-up')
    socket().events(6, 7)
    socket().send({ type: 'caught_up', sequence: 7 })
    expect(feed.state.get().status).toBe('live')
    elapse()
    expect(sequences(feed)).toEqual([7, 6, 5, 4])
    socket().events(8)
    socket().send({ type: 'caught_up', sequence: 8 })
    expect(feed.state.get().liveAfter).toBe(7)
  })

  test('what comes twice is shown once', () => {
    const feed = feedOf()
    socket().events(1, 2, 2, 1, 3)
    elapse()
    expect(sequences(feed)).toEqual([3, 2, 1])
  })

  test('what arrives together is shown together', () => {
    const feed = feedOf()
    let changes = 0
    feed.state.subscribe(() => changes++)
    socket().events(...Array.from({ length: 50 }, (_, i) => i + 1))
    expect(waiting).toHaveLength(1)
    elapse()
    expect(changes).toBe(1)
    expect(sequences(feed)).toHaveLength(50)
  })

  test('only so many are kept', () => {
    const feed = feedOf({ keep: 3 })
    socket().events(1, 2, 3, 4, 5)
    elapse()
    expect(sequences(feed)).toEqual([5, 4, 3])
  })

  test('frames it does not know are ignored', () => {
    const feed = feedOf()
    socket().onmessage?.({ data: 'not json' })
    socket().send({ type: 'pong' }, { type: 'news' })
    expect(sequences(feed)).toEqual([])
  })
})

describe('after a lost connection', () => {
  test('it goes on after the last event, without a gap', () => {
    const feed = feedOf()
    socket().events(1, 2)
    socket().drop()
    expect(feed.state.get().status).toBe('reconnecting')
    elapse()
    expect(socket().after).toBe(2)
    socket().events(3)
    elapse()
    expect(sequences(feed)).toEqual([3, 2, 1])
  })

  test('it waits longer each time, and starts over once it has caught up', () => {
    feedOf()
    const waits: number[] = []
    for (let i = 0; i < 3; i++) {
      socket().drop()
      waits.push(...delays())
      elapse()
    }
    socket().send({ type: 'caught_up', sequence: 0 })
    socket().drop()
    waits.push(...delays())
    expect(waits).toEqual([250, 500, 1000, 250])
  })

  test('caught up says how far it has looked, matching or not', () => {
    feedOf()
    socket().send({ type: 'caught_up', sequence: 90 })
    socket().drop()
    elapse()
    expect(socket().after).toBe(90)
  })

  test('a server that closes a slow reader says where to go on', () => {
    feedOf()
    socket().events(1)
    socket().send({ type: 'closed', resumeAfter: 12 })
    socket().drop()
    elapse()
    expect(socket().after).toBe(12)
  })
})

describe('pausing', () => {
  test('closes the socket, and goes on where it was', () => {
    const feed = feedOf()
    socket().events(1, 2)
    feed.pause()
    expect(feed.state.get().status).toBe('paused')
    expect(sequences(feed)).toEqual([2, 1])
    expect(socket().closed).toBe(true)
    expect(waiting).toEqual([])
    feed.resume()
    expect(sockets).toHaveLength(2)
    expect(socket().after).toBe(2)
  })

  test('stops a reconnection that was waiting', () => {
    const feed = feedOf()
    socket().drop()
    feed.pause()
    expect(waiting).toEqual([])
  })

  test('resuming what runs changes nothing', () => {
    feedOf().resume()
    expect(sockets).toHaveLength(1)
  })
})

test('clearing forgets events but not the position', () => {
  const feed = feedOf()
  socket().events(1, 2)
  feed.clear()
  socket().events(2, 3)
  elapse()
  expect(sequences(feed)).toEqual([3])
})

test('closing ends it', () => {
  const feed = feedOf()
  socket().events(1)
  feed.close()
  expect(socket().closed).toBe(true)
  expect(waiting).toEqual([])
})
