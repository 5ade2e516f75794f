import type { Interval, Span } from '@/lib/time-range'
import { bucketsOf } from '@/lib/time-range'

/** One bucket of time, in the console's own words. Latencies are null where nothing was called. */
export interface Point {
  time: number
  calls: number
  errors: number
  tokens: number
  costUsd: number
  p50: number | null
  p95: number | null
  p99: number | null
}

export interface ModelUse {
  model: string
  calls: number
  inputTokens: number
  outputTokens: number
  costUsd: number
}

/** What one model cost in each bucket. */
export interface CostSeries {
  model: string
  values: number[]
}

export interface Overview {
  span: Span
  calls: number
  errorRate: number
  inputTokens: number
  outputTokens: number
  costUsd: number
  p50: number
  p95: number
  p99: number
  perMinute: number
  users: number
  points: Point[]
  models: ModelUse[]
  /** The costliest models first; what is left after `rankedModels` of them is "Other". */
  costs: CostSeries[]
}

/** How many models are told apart by colour. */
export const rankedModels = 5

export type Raw = Record<string, unknown>

const number = (value: unknown): number => (Number.isFinite(Number(value)) ? Number(value) : 0)
const rows = (value: unknown): Raw[] => (Array.isArray(value) ? (value as Raw[]) : [])

/** Joins the three analytics answers into what the overview shows. */
export function toOverview(span: Span, interval: Interval, usage: Raw, performance: Raw, costs: Raw): Overview {
  const calls = number(usage.totalCalls)
  const models = toModels(rows(usage.byModel), rows(costs.byModel))
  return {
    span,
    calls,
    errorRate: errorRateOf(performance, calls),
    inputTokens: number(usage.inputTokens),
    outputTokens: number(usage.outputTokens),
    costUsd: number(costs.totalUsd),
    p50: number(performance.p50LatencyMs),
    p95: number(performance.p95LatencyMs),
    p99: number(performance.p99LatencyMs),
    perMinute: (calls / (span.end - span.start)) * 60_000,
    users: number(usage.uniqueUsers),
    points: toPoints(span, interval, rows(usage.series), rows(performance.series), rows(costs.series)),
    models,
    costs: toCosts(span, interval, models, rows(costs.series)),
  }
}

/** With no calls a rate says nothing, so it is 0 whatever the server divides by. */
function errorRateOf(performance: Raw, calls: number): number {
  if (calls === 0) return 0
  if (performance.errorRate !== undefined) return number(performance.errorRate)
  return performance.successRate !== undefined ? 1 - number(performance.successRate) : 0
}

/** Lays the series over an unbroken row of buckets, so that quiet times are shown as quiet. */
function toPoints(span: Span, interval: Interval, usage: Raw[], performance: Raw[], costs: Raw[]): Point[] {
  const points = new Map<number, Point>()
  const { times, floor } = bucketsOf(span, interval)
  for (const time of times) {
    points.set(time, { time, calls: 0, errors: 0, tokens: 0, costUsd: 0, p50: null, p95: null, p99: null })
  }
  const at = (row: Raw) => points.get(floor(Date.parse(String(row.timestamp))))
  for (const row of usage) {
    const point = at(row)
    if (!point) continue
    point.calls += number(row.calls)
    point.errors += number(row.errors)
    point.tokens += number(row.totalTokens) || number(row.inputTokens) + number(row.outputTokens)
  }
  for (const row of performance) {
    const point = at(row)
    if (!point) continue
    point.errors = Math.max(point.errors, number(row.errors))
    if (row.p50LatencyMs === undefined || row.p50LatencyMs === null || number(row.calls ?? 1) === 0) continue
    point.p50 = number(row.p50LatencyMs)
    point.p95 = number(row.p95LatencyMs)
    point.p99 = number(row.p99LatencyMs)
  }
  for (const row of costs) {
    const point = at(row)
    if (point) point.costUsd += number(row.costUsd)
  }
  return [...points.values()]
}

/** Splits a series of costs by model. A series that is not split is one nameless model's. */
function toCosts(span: Span, interval: Interval, models: ModelUse[], series: Raw[]): CostSeries[] {
  const { times, floor } = bucketsOf(span, interval)
  const index = new Map(times.map((time, i) => [time, i]))
  const named = models.slice(0, rankedModels).map((m) => m.model)
  const costs = new Map<string, number[]>()
  for (const name of [...named, 'Other']) costs.set(name, times.map(() => 0))
  for (const row of series) {
    const at = index.get(floor(Date.parse(String(row.timestamp))))
    const values = costs.get(String(row.model ?? '')) ?? costs.get('Other')
    if (at !== undefined && values) values[at] = (values[at] ?? 0) + number(row.costUsd)
  }
  return [...costs].map(([model, values]) => ({ model, values })).filter(({ values }) => values.some((value) => value > 0))
}

function toModels(usage: Raw[], costs: Raw[]): ModelUse[] {
  const models = new Map<string, ModelUse>()
  const of = (row: Raw) => {
    const model = String(row.model ?? row.key ?? 'unknown')
    let use = models.get(model)
    if (!use) models.set(model, (use = { model, calls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 }))
    return use
  }
  for (const row of usage) {
    const use = of(row)
    use.calls = number(row.calls)
    use.inputTokens = number(row.inputTokens)
    use.outputTokens = number(row.outputTokens)
    use.costUsd = number(row.costUsd)
  }
  for (const row of costs) of(row).costUsd = number(row.costUsd)
  return [...models.values()].sort((a, b) => b.costUsd - a.costUsd || b.calls - a.calls)
}
