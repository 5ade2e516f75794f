import { useState } from 'react'
import type { Budget, BudgetUsage } from '@/lib/api/types'
import { count, humanise, integer, percent, timestamp, usd } from '@/lib/format'
import { Progress } from '@/ui/bits'
import { Dialog } from '@/ui/dialog'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { Segments } from '@/ui/form'
import type { Grouping } from './use-budgets'
import { useBudgetUsage } from './use-budgets'

const groupings: { value: Grouping; label: string }[] = [
  { value: 'model', label: 'By model' },
  { value: 'agent', label: 'By agent' },
  { value: 'day', label: 'By day' },
]

/** Where the money of a budget went. */
export function BudgetDrawer({ budget, onClose }: { budget: Budget | undefined; onClose: () => void }) {
  const [grouping, setGrouping] = useState<Grouping>('model')
  const usage = useBudgetUsage(budget?.id ?? '', grouping)
  return (
    <Dialog
      shape="drawer"
      open={budget !== undefined}
      onClose={onClose}
      title={budget?.name}
      description={budget && `${humanise(budget.scopeType)} ${budget.scopeId ?? ''} · ${budget.period}`}
    >
      <div className="space-y-5">
        {usage.isPending && <SkeletonRows rows={6} />}
        {usage.isError && <ErrorState error={usage.error} onRetry={() => void usage.refetch()} />}
        {usage.data && <Summary usage={usage.data} name={budget?.name ?? ''} />}
        {usage.data && (
          <section aria-label="Breakdown" className="space-y-3">
            <Segments label="Break down" value={grouping} options={groupings} onChange={setGrouping} />
            <Breakdown usage={usage.data} />
            {uncounted(usage.data) && (
              <p className="text-[13px] text-ink-3">These are all calls of the period. Those from before the budget was made or last reset do not count against its limit.</p>
            )}
          </section>
        )}
      </div>
    </Dialog>
  )
}

/** Whether calls of the period cost more than the budget has counted; sums of many costs are not exact to the last digit. */
function uncounted({ breakdown, spentUsd }: BudgetUsage): boolean {
  return (breakdown ?? []).reduce((sum, row) => sum + row.costUsd, 0) > spentUsd + 1e-6
}

function Summary({ usage, name }: { usage: BudgetUsage; name: string }) {
  const share = usage.limitUsd > 0 ? usage.spentUsd / usage.limitUsd : 0
  return (
    <div className="space-y-2">
      <p className="tabular flex items-baseline justify-between gap-3">
        <span>
          <span className="text-2xl font-semibold tracking-tight">{usd(usage.spentUsd)}</span>
          <span className="text-ink-3"> of {usd(usage.limitUsd)}</span>
        </span>
        <span className="text-ink-3">{percent(share)}</span>
      </p>
      <Progress value={share} label={`${name}: share of the limit used`} />
      <p className="tabular flex flex-wrap justify-between gap-x-4 text-[13px] text-ink-3">
        <span>{count(usage.tokens)} tokens</span>
        {usage.periodStart && usage.periodEnd && (
          <span>
            {timestamp(usage.periodStart).replace(/,[^,]*$/, '')} – {timestamp(usage.periodEnd).replace(/,[^,]*$/, '')}
          </span>
        )}
      </p>
    </div>
  )
}

function Breakdown({ usage }: { usage: BudgetUsage }) {
  const rows = usage.breakdown ?? []
  if (rows.length === 0) return <p className="py-4 text-ink-3">Nothing was spent in this period.</p>
  return (
    <div className="overflow-x-auto" role="region" aria-label="Breakdown table" tabIndex={0}>
      <table className="tabular w-full">
        <thead>
          <tr className="border-b border-line text-[13px] text-ink-3">
            <th scope="col" className="py-2 pr-3 text-left font-normal">
              What
            </th>
            {['Calls', 'Tokens', 'Cost'].map((name) => (
              <th key={name} scope="col" className="py-2 pl-3 text-right font-normal">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key} className="border-b border-line last:border-0">
              <td className="py-2 pr-3 font-mono text-[13px] break-all">{row.key || 'none'}</td>
              <td className="py-2 pl-3 text-right">{integer(row.calls)}</td>
              <td className="py-2 pl-3 text-right">{count(row.tokens)}</td>
              <td className="py-2 pl-3 text-right">{usd(row.costUsd)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
