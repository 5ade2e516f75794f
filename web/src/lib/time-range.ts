export type Interval = 'minute' | 'hour' | 'day'
export type Preset = '15m' | '1h' | '24h' | '7d' | '30d'

/** A span of time in epoch milliseconds. */
export interface Span {
  start: number
  end: number
}

/** What a person chose: a preset that moves with the clock, or two fixed instants. */
export type Range = { preset: Preset } | { preset: 'custom'; start: number; end: number }

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

export const presets: { key: Preset; label: string; long: string; length: number }[] = [
  { key: '15m', label: '15 m', long: 'last 15 minutes', length: 15 * minute },
  { key: '1h', label: '1 h', long: 'last hour', length: hour },
  { key: '24h', label: '24 h', long: 'last 24 hours', length: day },
  { key: '7d', label: '7 d', long: 'last 7 days', length: 7 * day },
  { key: '30d', label: '30 d', long: 'last 30 days', length: 30 * day },
]

/** Reads a range from a page's query; anything unreadable is the fallback. */
export function parseRange(query: URLSearchParams, fallback: Preset): Range {
  const start = Date.parse(query.get('from') ?? '')
  const end = Date.parse(query.get('to') ?? '')
  if (Number.isFinite(start) && Number.isFinite(end) && end > start) return { preset: 'custom', start, end }
  const preset = presets.find((p) => p.key === query.get('range'))
  return { preset: preset?.key ?? fallback }
}

/** Writes a range for a page's query. */
export function rangeQuery(range: Range): Record<string, string> {
  if (range.preset !== 'custom') return { range: range.preset, from: '', to: '' }
  return { range: '', from: new Date(range.start).toISOString(), to: new Date(range.end).toISOString() }
}

/** The instants a range means now. */
export function resolve(range: Range, now: number): Span {
  if (range.preset === 'custom') return { start: range.start, end: range.end }
  const length = presets.find((p) => p.key === range.preset)?.length ?? hour
  return { start: now - length, end: now }
}

export function describe(range: Range): string {
  if (range.preset === 'custom') return 'custom range'
  return presets.find((p) => p.key === range.preset)?.long ?? ''
}

/** How fine a chart of a span should be: 15 to about 170 buckets. */
export function intervalFor(span: Span): Interval {
  const length = span.end - span.start
  if (length <= 2 * hour) return 'minute'
  return length <= 7 * day ? 'hour' : 'day'
}

const lengths: Record<Interval, number> = { minute, hour, day }

/** The buckets that cover a span (UTC, as the server cuts them) and how to find an instant's. */
export function bucketsOf(span: Span, interval: Interval): { times: number[]; floor: (t: number) => number } {
  const length = lengths[interval]
  const floor = (t: number) => Math.floor(t / length) * length
  const times: number[] = []
  for (let t = floor(span.start); t < span.end; t += length) times.push(t)
  return { times, floor }
}
