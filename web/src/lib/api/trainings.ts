/** Trainings, checkpoints and leaderboards, as far as the console uses them. */

export interface Epoch {
  epoch: number
  metrics: Record<string, number>
}

export interface Checkpoint {
  id: string
  name: string
  step: number
  attempt: number
  final: boolean
  sizeBytes: number
  metrics: Record<string, number>
  createdAt: string
}

export interface Training {
  id: string
  name: string
  architecture: string
  configuration: unknown
  status: 'pending' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  reason: { code: string; message: string } | null
  runner: string
  attempt: number
  /** How many are planned; 0 while that is not known. */
  epochs: number
  metrics: Epoch[]
  checkpoints: Checkpoint[]
  startedAt: string | null
  endedAt: string | null
  createdAt: string
}

export interface Evaluation {
  id: string
  result: {
    status: 'pending' | 'running' | 'succeeded' | 'failed'
    metrics?: Record<string, number>
    rows?: number
    reason?: { code: string; message: string } | null
  }
}

export const over = (status: Training['status']): boolean => status === 'succeeded' || status === 'failed' || status === 'cancelled'

/** One line of a chart: a value for each epoch, null where it was not measured. */
export interface Curve {
  name: string
  values: (number | null)[]
}

export interface Curves {
  epochs: number[]
  /** What is to become small, and what is to become large: they have scales of their own. */
  losses: Curve[]
  scores: Curve[]
}

const isLoss = (name: string): boolean => /loss|error|entropy/.test(name)

/** How many points a curve has at most; no screen shows more. */
const maxPoints = 400

/** The metrics of all epochs as curves, in the order in which they first come. Of very many epochs some are left out, never the last. */
export function curvesOf(metrics: Epoch[]): Curves {
  const shown = thin(metrics.toSorted((a, b) => a.epoch - b.epoch), maxPoints)
  const all = [...new Set(shown.flatMap((epoch) => Object.keys(epoch.metrics)))]
  // Where both are measured they are the same, and one line would hide the other.
  const names = all.filter((name) => name !== 'log_loss' || !all.includes('validation_loss'))
  const curves = names.map((name) => ({ name, values: shown.map((epoch) => finite(epoch.metrics[name])) }))
  return {
    epochs: shown.map((epoch) => epoch.epoch),
    losses: curves.filter(({ name }) => isLoss(name)),
    scores: curves.filter(({ name }) => !isLoss(name)),
  }
}

const finite = (value: number | undefined): number | null => (value !== undefined && Number.isFinite(value) ? value : null)

function thin<T>(list: T[], most: number): T[] {
  if (list.length <= most) return list
  const step = (list.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, i) => list[Math.round(i * step)] as T)
}

/** The best of a metric so far, which of a loss is the least. */
export function best(metrics: Epoch[], name: string): { epoch: number; value: number } | undefined {
  let found: { epoch: number; value: number } | undefined
  for (const { epoch, metrics: values } of metrics) {
    const value = finite(values[name])
    if (value === null) continue
    if (!found || (isLoss(name) ? value < found.value : value > found.value)) found = { epoch, value }
  }
  return found
}

export const metricNames = ['accuracy', 'f1', 'precision', 'recall', 'roc_auc', 'log_loss', 'ks', 'gini'] as const
export type MetricName = (typeof metricNames)[number]

export interface Entry {
  rank: number
  checkpoint_id: string
  checkpoint_name: string
  training_id: string
  metrics: Record<string, number>
  score: number | null
  results: { benchmark_id: string; evaluation_id: string; metrics: Record<string, number>; created_at: string }[]
  created_at: string
}

export interface Ranking {
  metric: MetricName
  direction: 'asc' | 'desc'
}

/** The order that puts the best first. */
export const bestFirst = (metric: MetricName): Ranking => ({ metric, direction: metric === 'log_loss' ? 'asc' : 'desc' })

/** What a click on a metric's head orders by: the best first, or, when that is so already, the worst. */
export function nextRanking(current: Ranking, clicked: MetricName): Ranking {
  const first = bestFirst(clicked)
  if (current.metric !== clicked || current.direction !== first.direction) return first
  return { metric: clicked, direction: first.direction === 'asc' ? 'desc' : 'asc' }
}

/** A metric's name for people. */
export function metricLabel(name: string): string {
  const known: Record<string, string> = { f1: 'F1', roc_auc: 'ROC AUC', log_loss: 'Log loss', ks: 'KS', gini: 'Gini' }
  const text = name.replaceAll('_', ' ')
  return known[name] ?? text.charAt(0).toUpperCase() + text.slice(1)
}

/** Four digits say enough of a metric. */
export const metricValue = (value: number): string => (Math.abs(value) >= 100 ? value.toPrecision(4) : value.toFixed(4))
