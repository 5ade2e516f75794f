/** What follows the log, as the server tells of it. */

export interface Difference {
  table: string
  rowsBefore: number
  rowsAfter: number
  onlyBefore: number
  onlyAfter: number
  samples: string[]
}

export interface Rebuild {
  state: 'filling' | 'indexing' | 'comparing' | 'done' | 'cancelled' | 'failed'
  position: number
  target: number
  eventsPerSecond: number
  startedAt: string
  finishedAt: string | null
  comparedAt?: number
  differences: Difference[]
  parked: number
  leftOut: number
  error?: string
}

export interface Projection {
  name: string
  kind: 'model' | 'reactor'
  version?: number
  status: 'running' | 'rebuilding' | 'stopped' | 'faulted'
  state: string
  ready: boolean
  position: number
  head: number
  lag: number
  parked: number
  error?: string
  lastError?: string
  rebuild?: Rebuild
}

export interface ParkedEvent {
  position: number
  stream: string
  type: string
  error?: string
  at: string
  /** It did not fail itself: it waits behind one that did. */
  waiting: boolean
}

export interface InspectedEvent extends ParkedEvent {
  gone: boolean
  revision: number
  recordedAt?: string
  data?: unknown
  metadata?: unknown
  decodeError?: string
  raw?: string
}

const running = new Set<Rebuild['state']>(['filling', 'indexing', 'comparing'])

/** Whether a rebuild is under way. */
export const rebuilding = (p: Projection): boolean => p.rebuild !== undefined && running.has(p.rebuild.state)

/** How much of a rebuild is done, from 0 to 1. The log grows meanwhile, so it is never quite 1 before the end. */
export function rebuildShare(rebuild: Rebuild): number {
  if (rebuild.state === 'done') return 1
  if (rebuild.target <= 0) return 0
  return Math.min(0.99, rebuild.position / rebuild.target)
}

/** How a finished comparison reads. */
export function verdict(rebuild: Rebuild): string {
  if (rebuild.state !== 'done') return ''
  const tables = rebuild.differences.length
  if (tables === 0) return `The new rows equal the old ones${rebuild.comparedAt ? ` as of position ${rebuild.comparedAt}` : ''}.`
  return `${tables === 1 ? 'One table differs' : `${tables} tables differ`}: the new rows, which are what the log says, took the old ones’ place.`
}

/** Parked events by stream, each in the order of the log. */
export function byStream(events: ParkedEvent[]): { stream: string; events: ParkedEvent[] }[] {
  const groups = new Map<string, ParkedEvent[]>()
  for (const event of events) {
    const group = groups.get(event.stream)
    if (group) group.push(event)
    else groups.set(event.stream, [event])
  }
  return [...groups].map(([stream, list]) => ({ stream, events: list.toSorted((a, b) => a.position - b.position) }))
}
