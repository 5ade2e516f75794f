import type { ModelUse } from '@/lib/api/analytics'
import { rankedModels } from '@/lib/api/analytics'
import { integer, percent, usd } from '@/lib/format'
import { Panel } from '@/ui/bits'

const colours = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5']

/** A model's colour is its rank; all beyond the ranked share the last one. */
export function modelColour(models: ModelUse[], model: string): string {
  const rank = models.findIndex((m) => m.model === model)
  return (rank < rankedModels ? colours[rank] : undefined) ?? '--chart-6'
}

/** Bars of what each model cost; without any cost, of how often each was called. */
export function CostByModel({ models, total }: { models: ModelUse[]; total: number }) {
  const free = total === 0
  const measure = (m: ModelUse) => (free ? m.calls : m.costUsd)
  const sorted = [...models].sort((a, b) => measure(b) - measure(a))
  const shown = sorted.slice(0, rankedModels)
  const sum = models.reduce((all, m) => all + measure(m), 0)
  const max = Math.max(...shown.map(measure), Number.MIN_VALUE)
  const hidden = sorted.slice(rankedModels).reduce((all, m) => all + measure(m), 0)
  const show = (value: number) => (free ? `${integer(value)} calls` : usd(value))
  return (
    <Panel title={free ? 'Calls by model' : 'Cost by model'} aside={free && <span className="text-xs text-ink-3">nothing was charged</span>}>
      <ul className="space-y-3 px-4 pt-2 pb-4">
        {shown.map((m) => (
          <li key={m.model}>
            <div className="flex items-baseline justify-between gap-3">
              <span className="truncate font-mono text-[13px]">{m.model}</span>
              <span className="tabular shrink-0">
                {show(measure(m))} <span className="inline-block w-11 text-right text-xs text-ink-3">{percent(sum ? measure(m) / sum : 0)}</span>
              </span>
            </div>
            <div className="mt-1 h-2 overflow-hidden rounded-full bg-hover">
              <div
                className="h-full rounded-full transition-[width] duration-500"
                style={{ width: `${(measure(m) / max) * 100}%`, background: `var(${modelColour(models, m.model)})` }}
              />
            </div>
          </li>
        ))}
        {hidden > 0 && <li className="text-ink-3">and {show(hidden)} for {sorted.length - rankedModels} more</li>}
      </ul>
    </Panel>
  )
}
