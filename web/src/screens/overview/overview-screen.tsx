import { Activity, X } from 'lucide-react'
import { useMemo, useState } from 'react'
import { TimeChart } from '@/charts/time-chart'
import { useApi } from '@/lib/api/context'
import { count, duration, percent, usd, usdShort } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { curlChat } from '@/lib/snippets'
import { describe, parseRange, rangeQuery } from '@/lib/time-range'
import { Dot, PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { EmptyState, ErrorState, Skeleton } from '@/ui/feedback'
import { RangePicker } from '@/ui/range-picker'
import { CostByModel, modelColour } from './cost-by-model'
import { ModelTable } from './model-table'
import { Tiles } from './tiles'
import type { OverviewData } from './use-overview'
import { useOverview } from './use-overview'

export function OverviewScreen() {
  useTitle('Overview')
  const { base } = useApi()
  const { query } = useRoute()
  const range = useMemo(() => parseRange(query, '24h'), [query])
  const model = query.get('model') ?? ''
  const [live, setLive] = useState(true)
  const overview = useOverview(range, model, live)
  const data = overview.data

  return (
    <div className="space-y-5">
      <PageHeader title="Overview" lead={`Every call through the gateway, ${describe(range)}.`}>
        {model && (
          <Button onClick={() => setQuery({ model: '' })} aria-label={`Show all models, not only ${model}`}>
            <span className="max-w-44 truncate font-mono text-[13px]">{model}</span> <X />
          </Button>
        )}
        <RangePicker range={range} onChange={(next) => setQuery(rangeQuery(next))} />
        <Button aria-pressed={live && range.preset !== 'custom'} disabled={range.preset === 'custom'} onClick={() => setLive(!live)}>
          <Dot tone={live && range.preset !== 'custom' ? 'good' : 'neutral'} pulse={live && range.preset !== 'custom'} />
          Live
        </Button>
      </PageHeader>

      {overview.isError && <ErrorState error={overview.error} onRetry={() => void overview.refetch()} />}
      {!data && !overview.isError && <OverviewSkeleton />}
      {data && data.calls === 0 && !model && (
        <Panel>
          <EmptyState icon={<Activity />} title="No calls in this time">
            <p>Send one. Any OpenAI client works: change its base URL and key. It shows up here within a second or two.</p>
            <CodeBlock label="example call" code={curlChat(base)} />
          </EmptyState>
        </Panel>
      )}
      {data && (data.calls > 0 || model) && <Charts data={data} />}
    </div>
  )
}

function Charts({ data }: { data: OverviewData }) {
  const { points, interval, costs, models } = data
  const times = useMemo(() => points.map((p) => p.time), [points])
  const series = useMemo(
    () => ({
      requests: [
        { label: 'Requests', colour: '--chart-1', kind: 'bars' as const, values: points.map((p) => p.calls) },
        { label: 'Errors', colour: '--chart-bad', kind: 'bars' as const, values: points.map((p) => p.errors) },
      ],
      latency: [
        { label: 'p99', colour: '--chart-3', kind: 'line' as const, values: points.map((p) => p.p99) },
        { label: 'p95', colour: '--chart-2', kind: 'line' as const, values: points.map((p) => p.p95) },
        { label: 'p50', colour: '--chart-1', kind: 'line' as const, values: points.map((p) => p.p50) },
      ],
      cost: costs.length
        ? costs.map(({ model, values }) => ({ label: model, colour: modelColour(models, model), kind: 'bars' as const, values }))
        : [{ label: 'Cost', colour: '--chart-1', kind: 'bars' as const, values: points.map((p) => p.costUsd) }],
    }),
    [points, costs, models],
  )
  return (
    <>
      <Tiles data={data} />
      <div className="grid gap-4 xl:grid-cols-2">
        <Panel title="Requests" aside={<Per interval={interval} />}>
          <TimeChart
            summary={`${count(data.calls)} requests, ${percent(data.errorRate)} of them errors.`}
            times={times}
            interval={interval}
            series={series.requests}
            format={count}
            whole
          />
        </Panel>
        <Panel title="Latency" aside={<Per interval={interval} />}>
          <TimeChart
            summary={`Half of the calls took at most ${duration(data.p50)}, 99 of 100 at most ${duration(data.p99)}.`}
            times={times}
            interval={interval}
            series={series.latency}
            format={duration}
          />
        </Panel>
        <Panel title="Cost" aside={<Per interval={interval} />}>
          <TimeChart
            summary={`${usd(data.costUsd)} in all.`}
            times={times}
            interval={interval}
            series={series.cost}
            stacked
            format={usdShort}
          />
        </Panel>
        <CostByModel models={models} total={data.costUsd} />
      </div>
      <ModelTable models={models} />
    </>
  )
}

function Per({ interval }: { interval: string }) {
  return <span className="text-xs text-ink-3">per {interval}</span>
}

function OverviewSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="space-y-4">
      <div className="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-6">
        {Array.from({ length: 6 }, (_, tile) => (
          <Skeleton key={tile} className="h-28" />
        ))}
      </div>
      <div className="grid gap-4 xl:grid-cols-2">
        <Skeleton className="h-64" />
        <Skeleton className="h-64" />
      </div>
    </div>
  )
}
