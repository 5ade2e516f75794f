import { humanise } from '@/lib/format'
import { Badge, Dot } from './bits'

const tones = {
  queued: 'neutral',
  pending: 'neutral',
  running: 'accent',
  processing: 'accent',
  paused: 'warn',
  waiting: 'warn',
  completed: 'good',
  succeeded: 'good',
  ready: 'good',
  active: 'good',
  published: 'good',
  failed: 'bad',
  cancelled: 'neutral',
} as const

const moving = new Set(['running', 'processing'])

/** How work stands: its word and colour are the same on every page. */
export function StateBadge({ state }: { state: string }) {
  const tone = tones[state as keyof typeof tones] ?? 'neutral'
  return (
    <Badge tone={tone}>
      {moving.has(state) && <Dot tone={tone} pulse />}
      {humanise(state)}
    </Badge>
  )
}
