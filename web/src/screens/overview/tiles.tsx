import { clsx } from 'clsx'
import type { ReactNode } from 'react'
import { Sparkline } from '@/charts/sparkline'
import type { Overview } from '@/lib/api/analytics'
import { count, duration, integer, percent, usd, usdShort } from '@/lib/format'

interface TileProps {
  label: string
  value: ReactNode
  exact?: string
  note?: ReactNode
  values?: (number | null)[]
  colour?: string
  className?: string
}

function Tile({ label, value, exact, note, values, colour = '--chart-1', className }: TileProps) {
  return (
    <div className={clsx('panel flex min-w-0 flex-col px-4 pt-3 pb-3.5', className)}>
      <dt className="text-[13px] text-ink-3">{label}</dt>
      <dd className="mt-0.5 flex flex-1 flex-col">
        <span className="tabular truncate text-[1.65rem] leading-9 font-semibold tracking-tight" title={exact}>
          {value}
        </span>
        <span className="tabular truncate text-xs text-ink-3">{note}</span>
        {values && (
          <span className="mt-auto block pt-2.5">
            <Sparkline values={values} colour={colour} />
          </span>
        )}
      </dd>
    </div>
  )
}

/** The figures of the range, each with its course over time. */
export function Tiles({ data }: { data: Overview }) {
  const { points } = data
  return (
    <dl className="grid grid-cols-2 gap-3 md:grid-cols-4 xl:grid-cols-[repeat(2,1fr)_1.6fr_repeat(2,1fr)]">
      <Tile
        label="Requests"
        value={count(data.calls)}
        exact={integer(data.calls)}
        note={`${perMinute(data.perMinute)} per minute`}
        values={points.map((p) => p.calls)}
      />
      <Tile
        label="Error rate"
        value={<span className={data.errorRate >= 0.05 ? 'text-bad' : ''}>{percent(data.errorRate)}</span>}
        note={`${count(Math.round(data.errorRate * data.calls))} failed`}
        values={points.map((p) => (p.calls ? p.errors / p.calls : 0))}
        colour="--chart-bad"
      />
      <LatencyTile data={data} />
      <Tile
        label="Tokens"
        value={count(data.inputTokens + data.outputTokens)}
        exact={integer(data.inputTokens + data.outputTokens)}
        note={`${count(data.inputTokens)} in · ${count(data.outputTokens)} out`}
        values={points.map((p) => p.tokens)}
        colour="--chart-2"
      />
      <Tile
        label="Cost"
        value={usdShort(data.costUsd)}
        exact={usd(data.costUsd)}
        note={data.calls ? `${usd(data.costUsd / data.calls)} per call` : ''}
        values={points.map((p) => p.costUsd)}
        colour="--chart-2"
      />
    </dl>
  )
}

function LatencyTile({ data }: { data: Overview }) {
  return (
    <div className="panel order-first col-span-2 flex min-w-0 flex-col px-4 pt-3 pb-3.5 md:col-span-4 xl:order-none xl:col-span-1">
      <dt className="text-[13px] text-ink-3">Latency</dt>
      <dd className="mt-0.5 flex flex-1 flex-col">
        <span className="grid grid-cols-3 gap-3">
          {(['p50', 'p95', 'p99'] as const).map((key) => (
            <span key={key} className="min-w-0">
              <span className="tabular block truncate text-[1.3rem] leading-9 font-semibold tracking-tight">{duration(data[key])}</span>
              <span className="block text-xs text-ink-3">{key}</span>
            </span>
          ))}
        </span>
        <span className="mt-auto block pt-2.5">
          <Sparkline values={data.points.map((p) => p.p95)} colour="--chart-3" />
        </span>
      </dd>
    </div>
  )
}

function perMinute(rate: number): string {
  if (rate > 0 && rate < 0.01) return 'under 0.01'
  return rate >= 10 ? count(rate) : rate.toFixed(rate >= 1 ? 1 : 2)
}
